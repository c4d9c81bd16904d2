"""A chapter's file opened as a notebook and saved: nothing changes but what was changed, and nothing is lost."""

import asyncio
import difflib
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml
from built_book import PAGES, ROOT
from chapters import cells, lab
from chapters.names import Names, Page, Target
from nbformat import NotebookNode, from_dict, validate
from nbformat.v4 import new_code_cell, new_markdown_cell
from tornado.web import HTTPError

TEXT = """---
jupytext:   {text_representation: {extension: .md, format_name: myst}}
kernelspec: {name: python3, display_name: Python 3, language: python}
"og:title": 'A  page'
---

# A page

Two lines\x20\x20
of plain text.

```{code-cell} ipython3
---
mystnb:
  figure: {name: fig-a,   caption: "A figure, {eq}`eq-a`."}
tags: [hide-input]
---
a = 1

b = 2
```
```{code-cell} ipython3
:tags: [remove-cell]

c = 3
```


The value is {glue:text}`c`.

$$ a = b $$ (eq-a)

+++

Plain again.

```{code-cell} ipython3
d = 4
```
"""
NAMES = Names(
    pages={"page": Page("A page", "1", True, {"c": "3"})},
    targets={"eq-a": Target("page", "equation-eq-a", "(1.1)"), "fig-a": Target("page", "fig-a", "Fig. 1.1")},
)
INTRO, FIGURE, CAPTION, HIDDEN, SHOWN, PLAIN, LAST = range(7)


@pytest.fixture
def notebook() -> NotebookNode:
    return lab.shown(TEXT, "page", NAMES)


def changes(text: str, before: str = TEXT) -> list[str]:
    """The lines that differ, `-` and `+`."""
    return [line for line in difflib.ndiff(before.splitlines(), text.splitlines()) if line[0] in "+-"]


FILES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"{page}.md" for page in PAGES)]


@pytest.mark.parametrize("file", FILES)
def test_every_file_of_the_book_is_saved_as_it_was(file):
    text = (ROOT / file).read_text()
    for known in (lab.last_build(), Names()):  # with the numbers of a build, and without
        opened = lab.shown(text, file.removesuffix(".md"), known)
        validate(opened)
        assert cells.saved(NotebookNode(from_dict(dict(opened)))) == text


@pytest.mark.parametrize("text", ["", "Plain.\n", "Plain, no end", "# A\n\n\n", TEXT.rstrip(), TEXT + "\n\n", "+++\n"])
def test_so_is_any_other(text):
    assert cells.saved(lab.shown(text, "page", NAMES)) == text


def test_what_is_shown(notebook):
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds == ["markdown", "code", "markdown", "code", "markdown", "markdown", "code"]
    shown = notebook.cells[SHOWN].source
    assert shown == 'The value is 3.\n\n<a id="equation-eq-a"></a>\n\n$$ a = b \\tag{1.1} $$'
    assert notebook.cells[CAPTION].source == '<a id="fig-a"></a>**Fig. 1.1.** A figure, [(1.1)](#equation-eq-a).'
    assert [cell.metadata.get("editable", True) for cell in notebook.cells] == [
        True,
        True,
        False,
        True,
        False,
        True,
        True,
    ]
    assert notebook.cells[FIGURE].metadata.jupyter == {"source_hidden": True}
    assert notebook.cells[HIDDEN].metadata.jupyter == {"source_hidden": True, "outputs_hidden": True}
    assert "jupyter" not in notebook.cells[LAST].metadata
    assert cells.saved(notebook) == TEXT


def test_what_a_front_end_does_to_looks_changes_nothing(notebook):
    """JupyterLab unfolds cells, counts them, keeps outputs and adds to the metadata of cell and notebook."""
    notebook.metadata["language_info"] = {"name": "python", "version": "3.13"}
    notebook.metadata["widgets"] = {}
    for cell in notebook.cells:
        cell.metadata.pop("jupyter", None)
        cell.metadata |= {"trusted": True, "collapsed": False, "scrolled": True, "execution": {"iopub": "now"}}
        if cell.cell_type == "code":
            cell.execution_count = 7
    assert cells.saved(notebook) == TEXT


def test_a_changed_code_cell_alone_changes(notebook):
    notebook.cells[FIGURE].source = "a = 1\n\nb = 22"
    assert changes(cells.saved(notebook)) == ["- b = 2", "+ b = 22"]
    notebook.cells[LAST].source = "```\nd\n```"  # needs a longer fence
    again = cells.saved(notebook)
    assert [c.source for c in lab.shown(again, "page", NAMES).cells][-1] == "```\nd\n```"
    assert again.startswith(TEXT[: TEXT.index("b = 2\n")])


def test_a_changed_plain_cell_alone_changes(notebook):
    notebook.cells[INTRO].source += "\nOne more."
    notebook.cells[PLAIN].source = "Other."
    assert changes(cells.saved(notebook)) == ["+ One more.", "- Plain again.", "+ Other."]


def test_changed_tags_change_the_options_of_that_cell_alone(notebook):
    notebook.cells[LAST].metadata["tags"] = ["hide-input"]
    assert changes(cells.saved(notebook)) == ["+ :tags: [hide-input]", "+ "]


def test_new_moved_and_deleted_cells(notebook):
    new = [new_markdown_cell("New text."), new_code_cell("new = 5"), new_code_cell("  ")]
    notebook.cells[SHOWN:SHOWN] = new
    text = cells.saved(notebook)
    assert [line[2:] for line in changes(text) if line[2:].strip()] == [
        "New text.",
        "```{code-cell} ipython3",
        "new = 5",
        "```",
    ]
    sources = [cell.source for cell in lab.shown(text, "page", NAMES).cells]
    assert sources == [cell.source for cell in notebook.cells if cell.source.strip()]

    notebook.cells[:] = [notebook.cells[k] for k in (0, 3, 4, 1, 2, 6, 5, -1, -2)]
    text = cells.saved(notebook)
    sources = [cell.source for cell in lab.shown(text, "page", NAMES).cells]
    assert sources == [cell.source for cell in notebook.cells if cell.source.strip()]

    del notebook.cells[1:]
    assert cells.saved(notebook) == TEXT[: TEXT.index("```{code")].rstrip() + "\n"


def test_two_texts_stay_two_cells(notebook):
    notebook.cells.insert(INTRO + 1, new_markdown_cell("New text."))
    again = lab.shown(cells.saved(notebook), "page", NAMES)
    assert [cell.source for cell in again.cells[:2]] == [notebook.cells[0].source, "New text."]


@pytest.mark.parametrize("place", [CAPTION, SHOWN])
def test_a_cell_that_is_shown_plain_is_not_written_over(notebook, place):
    notebook.cells[place].source += " changed"
    with pytest.raises(cells.Locked, match=r"cannot be changed here.*in the chapter's file"):
        cells.saved(notebook)
    notebook.cells[place].source = notebook.cells[place].metadata[cells.OWN]["shown"]
    assert cells.saved(notebook) == TEXT


def test_numbers_of_a_later_build_do_not_matter(notebook):
    """What was shown is compared with what is there, not with what would be shown now."""
    notebook.cells[LAST].source = "d = 44"
    assert changes(cells.saved(notebook)) == ["- d = 4", "+ d = 44"]
    assert lab.shown(TEXT, "page", Names()).cells[SHOWN].source != notebook.cells[SHOWN].source


@pytest.mark.parametrize(("format", "opened"), [("myst", True), ("markdown", False), ("pandoc", False)])
def test_files_of_another_format_are_left_to_jupytext(format, opened):
    head = yaml.safe_dump({"jupytext": {"text_representation": {"format_name": format, "extension": ".md"}}})
    assert cells.ours(f"---\n{head}---\n\n# Text\n") is opened
    assert cells.ours("# format_name: pandoc\n")


# --- The server's side ----------------------------------------------------------------------------------------------


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own: a browser of another test may have left a loop that runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result()


@pytest.fixture
def server(tmp_path):
    (tmp_path / "page.md").write_text(TEXT)
    return lab.Chapters(root_dir=str(tmp_path))


def test_opened_and_saved_through_the_server(server, tmp_path):
    async def through() -> None:
        model = await server.get("page.md", type="notebook", require_hash=True)
        assert (model["type"], model["format"]) == ("notebook", "json")
        assert model["hash"]
        file = await server.get("page.md", type="file", format="text")
        assert file["content"] == TEXT  # as text it is what it is
        before = (tmp_path / "page.md").stat().st_mtime_ns
        saved = await server.save({"type": "notebook", "format": "json", "content": dict(model["content"])}, "page.md")
        assert (saved["type"], saved["content"]) == ("notebook", None)
        assert saved["last_modified"]
        assert (tmp_path / "page.md").stat().st_mtime_ns == before  # not even written
        model["content"].cells[-1].source = "d = 44"
        await server.save({"type": "notebook", "format": "json", "content": dict(model["content"])}, "page.md")
        assert changes((tmp_path / "page.md").read_text()) == ["- d = 4", "+ d = 44"]
        locked = next(cell for cell in model["content"].cells if not cell.metadata.get("editable", True))
        locked.source = "Something else."
        with pytest.raises(HTTPError) as refused:
            await server.save({"type": "notebook", "format": "json", "content": dict(model["content"])}, "page.md")
        assert refused.value.status_code == 400
        assert "not saved: the text that begins" in str(refused.value)
        assert "44" in (tmp_path / "page.md").read_text()

    run(through())


def test_other_files_are_jupytexts_and_the_servers(server, tmp_path):
    async def through() -> None:
        notebook = (await server.get("page.md", type="notebook"))["content"]
        await server.save({"type": "notebook", "format": "json", "content": dict(notebook)}, "copy.md")
        assert (tmp_path / "copy.md").read_text() == TEXT
        await server.save({"type": "notebook", "format": "json", "content": dict(notebook)}, "copy.ipynb")
        assert (await server.get("copy.ipynb"))["type"] == "notebook"
        assert {one["name"] for one in (await server.get(""))["content"]} >= {"page.md", "copy.md", "copy.ipynb"}
        assert (await server.get("page.md", content=False, type="notebook"))["content"] is None

    run(through())


def test_names_of_pages(server):
    assert server.page("page.md") == "page"
    server.root_dir = str(ROOT)
    assert server.page("book/05-writing-back.md") == "book/05-writing-back"
    assert lab.link("book/06-b", "book/05-a", "eq") == "06-b.md#eq"
    assert lab.link("index", "book/05-a", "") == "../index.md"
    assert lab.link("book/05-a", "book/05-a", "eq") == "#eq"
