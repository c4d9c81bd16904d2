"""The picture that other services show beside a link: title, question and figure, readable where it is shown small."""

import re
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
from built_book import PAGES, SITE, html, size, stated
from PIL import Image
from superbook import cards, pictures

SHOWN = 500  # pixels; the width in which services show a card of 1,200
LEAST = 16  # pixels of a letter there
FIGURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}"><rect width="{}" height="{}" fill="red"/></svg>'


def figure(width: int, height: int) -> str:
    return FIGURE.format(width, height, width, height)


def red(png: bytes) -> tuple[int, int, int, int]:
    """Where the figure stands, from its colour."""
    colours = np.asarray(Image.open(BytesIO(png)).convert("RGB"))
    assert colours.shape == (cards.HIGH, cards.WIDE, 3)
    y, x = np.nonzero((colours[..., 0] > 250) & (colours[..., 1] < 5))
    return x.min(), y.min(), x.max() + 1, y.max() + 1


@pytest.mark.parametrize("proportions", [(1, 1), (4, 1), (2, 3), (16, 9)])
@pytest.mark.parametrize("title", ["The seizure", "Writing back to the residual stream, and what else there is to it"])
def test_a_card_holds_title_question_and_figure(title, proportions, monkeypatch):
    """Words stand above the figure or left of it, large enough, within the card; the figure keeps its proportions."""
    drawn = []
    monkeypatch.setattr(cards, "drawn", lambda svg, *how: drawn.append(svg) or pictures.drawn(svg, *how))
    question = "Where does each state go if there are more circuits than D/d, and what does a circuit get back?"
    left, top, right, bottom = red(cards.card(title, question, figure(*proportions)))
    assert abs((right - left) / (bottom - top) / (proportions[0] / proportions[1]) - 1) < 0.05
    assert (right - left) * (bottom - top) > 0.1 * cards.WIDE * cards.HIGH
    root = ElementTree.fromstring(drawn[0])
    texts = root.findall("{http://www.w3.org/2000/svg}text")
    assert " ".join(str(text.text) for text in texts) == f"{title} {question}"
    for text in texts:
        letters = int(text.attrib["font-size"])
        assert letters * SHOWN / cards.WIDE > LEAST
        file = cards.BOLD if text.attrib["font-weight"] == "bold" else cards.REGULAR
        end = float(text.attrib["x"]) + cards._font(file, letters).getlength(str(text.text))
        base = float(text.attrib["y"])
        assert end <= cards.WIDE - cards.EDGE
        assert base < cards.HIGH
        assert end <= left or base <= top, "a line lies on the figure"


def test_a_card_is_drawn_in_its_own_fonts():
    """Not in those of the machine: a letter is there, and it is that of the file."""
    assert cards.card("Σ", "", figure(1, 1)) != cards.card("Π", "", figure(1, 1))
    assert cards.REGULAR.is_file()
    assert cards.BOLD.is_file()
    assert pictures.drawn(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="8">A</text></svg>'
    ) == (pictures.drawn('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>')), (
        "without a file there is no font"
    )


def test_a_long_question_is_its_last_sentence():
    assert cards.asked("One layer can be made good. What happens over several?").startswith("One layer")
    long = "A large network has one residual stream of width D. Many small circuits are to keep their states in it. "
    assert cards.asked(f"{long}Where does each go, if there are more than D/d?").startswith("Where does each go")


def test_a_bitmap_has_a_card(tmp_path):
    bitmap = tmp_path / "a.png"
    bitmap.write_bytes(pictures.png(figure(4, 3)))
    assert red(cards.card("A", "B", pictures.vector(bitmap)))[2] > cards.WIDE / 2


@pytest.mark.parametrize("page", PAGES)
def test_each_page_has_a_card_of_its_own(page):
    """Its alt text says the title and, where the page has a box of that name, the question."""
    soup = html(page)
    card, alt, title = (stated(soup, name) for name in ("og:image", "og:image:alt", "og:title"))
    assert card
    assert alt
    assert size((SITE / f"{page}.html").parent / card) == cards.SIZE
    others = [stated(html(other), "og:image") for other in PAGES if other != page]
    assert card.rpartition("/")[2] not in {str(other).rpartition("/")[2] for other in others}
    assert alt.startswith(f"{title}. ")
    asks = soup.select_one(".admonition.question > p:last-child")
    if asks and not asks.select(".math"):
        assert cards.asked(" ".join(asks.get_text().split())) in alt
    assert re.search(r"[.?!] [A-Z].{20}", alt)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_not_named_twice(page):
    """Title and name of the site, of which services show both, and the browser's tab."""
    soup = html(page)
    title, book = stated(soup, "og:title"), stated(soup, "og:site_name")
    assert title
    assert (book is None) == (page == "index")
    assert not {"superpos", "Circuits in Superposition"} & set(re.split(r" [–—-] ", title)) or page == "index"
    assert soup.title
    parts = soup.title.get_text(strip=True).split(" — ")
    assert len(parts) == len(set(parts)) == 1 + (page != "index")
