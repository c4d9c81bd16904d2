"""The letters of every figure of the site, in every frame: large enough, whole, apart, legible."""

import re

import pytest
from built_book import SITE
from lettering import faults, letters, unread

from superpos.show import figures
from superpos.show.data import svg
from superpos.show.vector import GROUND, compact, dark

FOLDERS = sorted((SITE / "_images/explore").glob("*"))
GROUNDS = {"": "#ffffff", "-dark": GROUND}
SHEETS = {"wide": "", "narrow": "-narrow"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_letters(folder):
    """Every frame on both sheets; what is behind the letters in one frame, on both sheets, light and dark."""
    frames = sorted(int(file.stem) for file in folder.glob("*.svg") if file.stem.isdigit())
    middle, told = frames[len(frames) // 2], []
    for frame in frames:
        for sheet, ending in SHEETS.items():
            text = (folder / f"{frame}{ending}.svg").read_text()
            wrong = faults(*letters(text), sheet)
            for scheme, ground in GROUNDS.items() if frame == middle else ():
                text = (folder / f"{frame}{ending}{scheme}.svg").read_text()
                wrong += [f"{one}, on {ground}" for one in unread(letters(text)[0], text, ground)]
            told += [f"{frame}, {sheet}: {one}" for one in wrong]
    assert not told


def test_every_figure_of_the_site_is_among_them():
    pages = [path.read_text() for path in [SITE / "index.html", *SITE.glob("book/*.html")]]
    named = {name for page in pages for name in re.findall(r"/explore/([\w-]+)/", page)}
    assert named == {folder.name for folder in FOLDERS}
    assert len(named) > 60


def test_faults_are_found():
    """A picture as the book's are; then with letters that are too small, moved out, moved on each other, too pale."""
    figures.style()
    text = compact(svg(figures.curves([figures.line("measured $x^2$", [1.0, 2.0, 3.0], [1.0, 4.0, 9.0])], "x", "y")))
    found, size = letters(text)
    assert len(found) > 8
    assert not faults(found, size, "wide")
    assert not unread(found, text, "#ffffff")
    assert not unread(letters(dark(text))[0], dark(text), GROUND)
    assert "pixels" in faults(*letters(text.replace("scale(0.115 -0.115)", "scale(0.08 -0.08)")), "wide")[0]
    moved = re.sub(r"translate\(([\d.]+) ([\d.]+)\) scale", r"translate(380 \2) scale", text)
    told = faults(*letters(moved), "wide")
    assert any("cut" in one for one in told)
    assert any("two texts" in one for one in told)
    pale = text.replace("fill:#222222", "fill:#999999")
    assert unread(letters(pale)[0], pale, "#ffffff")
