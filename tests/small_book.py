"""A book of four pages with all that the book's extensions make: built in seconds, for tests that build one.

It is a tree of its own, whose extensions are a copy: they find their book by the place where they lie.
"""

import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import yaml
from built_book import ROOT
from sphinx.testing.util import SphinxTestApp

CODE = """jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {name: python3, display_name: Python 3, language: python}
"""
HEAD = """---
"og:title": "A page"
"og:description": "What this page is about."
---

"""
SLIDERS = """```{code-cell} ipython3
---
mystnb:
  figure: {name: fig-bars, caption: "A bar. It has a height."}
---
from matplotlib.figure import Figure
from superpos.show.explore import Slider, explore

def draw(T, how):
    figure = Figure(figsize=(3, 2))
    figure.subplots().bar([0], [HEIGHT])
    return figure

def alt(T, how):
    return f"A {how} bar of height {T}, drawn for the tests of a book."

T, how = Slider("circuits T", [1, 2, 3]), Slider("how", ["dense", "sparse"])
explore(draw, name="fig-bars", alt=alt, start={"T": 2}, T=T, how=how)
```
"""
NOTEBOOK = HEAD.replace("---\n", f"---\n{CODE}", 1)
INDEX = f"""{NOTEBOOK}# A small book

{{numref}}`fig-bars` has bars. See {{doc}}`book/01-lines`.

{SLIDERS.replace("HEIGHT", "T")}"""
CHAPTER = f"""{NOTEBOOK}# Lines

```{{code-cell}} ipython3
---
mystnb:
  image: {{alt: "A line that climbs from nothing to one, drawn for the tests."}}
  figure: {{name: fig-line, caption: "A line for $T < 2$."}}
---
from superpos.show import claims, figures
from superpos.show.figures import curves, line

figures.style()
curves([line("", [0.0, 1.0], [0.0, 1.0])], "x", "$y^2$", height=2.0)
```

```{{code-cell}} ipython3
claims.check("it-climbs", "It climbs.", predicted=1, measured=1, kind="guard", source="ours")
```

$$
a = b
$$ (eq-a)
"""
CLAIMS = f"{HEAD}# Claims\n\n```{{claims-table}}\n```\n"
CITE = f"""{HEAD}# How to cite

```{{bibtex}} book
```

```{{bibtex}} chapters
```

```{{key-figures}}
```
"""
TOC = {
    "format": "jb-book",
    "root": "index",
    "parts": [
        {"caption": "One", "numbered": True, "chapters": [{"file": "book/01-lines"}]},
        {"caption": "Two", "chapters": [{"file": "book/claims"}, {"file": "book/cite"}]},
    ],
}
FIGURES = {"index": ["fig-bars"], "book/01-lines": ["fig-line"]}
PAGES = ["index", "book/01-lines", "book/claims", "book/cite"]
NOTEBOOKS = PAGES[:2]
OWN = ("CITATION.cff", "LICENSE", "_config.yml", "requirements.txt", "book/site.yml", "book/references.bib")
SHARED = ("superpos", "vendor", "book/assets", "book/_templates")


def write(root: Path, index: str = INDEX) -> None:
    """The sources of the book, with this front page."""
    shutil.copytree(ROOT / "book/_ext", root / "book/_ext", ignore=shutil.ignore_patterns("__pycache__"))
    for name in OWN:
        shutil.copy(ROOT / name, root / name)
    for name in SHARED:
        (root / name).symlink_to(ROOT / name)
    (root / "_toc.yml").write_text(yaml.safe_dump(TOC))
    (root / "book/key-figures.yml").write_text(yaml.safe_dump(FIGURES, sort_keys=False))
    for page, text in zip(PAGES, (index, CHAPTER, CLAIMS, CITE), strict=True):
        (root / f"{page}.md").write_text(text)


def build(root: Path, folder: str = "_build", **addresses: str) -> subprocess.CompletedProcess[str]:
    """Build the book as `make book` does, into `root/folder`."""
    environment = os.environ | addresses | {"BOOK_CACHE": str(root / "cache"), "PYTHONPATH": str(root)}
    command = [sys.executable, str(ROOT / "scripts/build.py"), folder]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def sphinx(folder: Path) -> list[str]:
    """What Sphinx warns of when it builds the site of this folder, in this process: nothing is executed in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other people's extensions; the build of the book says them
        app = SphinxTestApp("html", srcdir=folder)
        try:
            app.build()
        finally:
            app.cleanup()
    return [line for line in app.warning.getvalue().splitlines() if line]
