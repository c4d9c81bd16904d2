"""The book as one PDF, and the site that offers it."""

import io
import itertools
import re
import shutil
from pathlib import Path

import pdf
import pytest
import yaml
from browser import CHROMIUM, aside, needs_browser
from built_book import PAGES, ROOT, SITE, html
from pypdf import PageObject, PdfReader
from pypdf.generic import Destination


def title(page: str) -> str:
    """The title as the page shows it, without its mark."""
    heading = html(page).select_one("article h1")
    assert heading
    return " ".join("".join(text for text in heading.find_all(string=True, recursive=False)).split())


def number(page: str) -> str:
    found = html(page).select_one("article h1 .section-number")
    return found.get_text().strip() if found else ""


HEADING = re.compile(r'<(?:h[1-4]\b[^>]*|(?:p|summary)\b[^>]*class="[^"]*(?:rubric|admonition-title)[^"]*"[^>]*)>')
# In points: the lower margin, and the upper one, by which Chromium puts every place too high; then what a heading and
# the line after it need.
FOOT, ROOM = 57 + 51, 28
MOST = 60e6  # bytes of a site that offers its PDF
EDGE = 40  # below it stands the number of the page


def site(folder: Path) -> Path:
    """The built site, of which the front page can be changed."""
    (folder / "html").mkdir()
    for entry in SITE.iterdir():
        if entry.name not in ("index.html", pdf.NAME):
            (folder / "html" / entry.name).symlink_to(entry)
    shutil.copyfile(SITE / "index.html", folder / "html/index.html")
    return folder


def with_marks(text: str) -> str:
    """A place in each heading, and links to all of them at the end: only what is linked to has a place in a PDF."""
    count = itertools.count()
    marked = HEADING.sub(lambda found: f'{found[0]}<a id="heading-{next(count)}"></a>', text)
    links = "".join(f'<a href="#heading-{i}">.</a> ' for i in range(next(count)))
    return marked.replace("</main>", f'<p style="break-before: page">{links}</p></main>')


def height(place: Destination) -> float:
    """Of a place above the edge of its page."""
    assert place.top is not None
    return float(place.top)


def letters(text: str) -> str:
    """Without blanks and signs: those of formulas stand where their font has them."""
    return re.sub(r"\W", "", text)


def last_line(page: PageObject) -> set[str]:
    """The fonts of the lowest line of a page, above its number."""
    lines: dict[int, set[str]] = {}

    def see(text: str, cm: list[float], tm: list[float], font: dict | None, size: float) -> None:
        height = round(cm[1] * tm[4] + cm[3] * tm[5] + cm[5])
        if text.strip() and height > EDGE:
            lines.setdefault(height, set()).add(str((font or {}).get("/BaseFont")))

    page.extract_text(visitor_text=see)
    return lines[min(lines)]


def at_the_foot(book: PdfReader) -> list[int]:
    """Pages that end with a heading.

    A place near the foot may be that of a heading which Chromium has moved to the next page; so the letters are asked.
    """
    places = [place for name, place in book.named_destinations.items() if name.startswith("/heading-")]
    assert places
    near = {book.get_destination_page_number(place) or 0 for place in places if height(place) < FOOT + ROOM}
    return [page for page in sorted(near) if all("Bold" in font for font in last_line(book.pages[page]))]


@pytest.fixture(scope="module")
def whole() -> tuple[str, list[pdf.Place]]:
    """The whole book as one page of HTML, and its headings."""
    return pdf.document(SITE, PAGES, yaml.safe_load((ROOT / "_config.yml").read_text())["title"])


@needs_browser
@pytest.mark.timeout(240)  # three hundred pages are printed and read
def test_whole_book(whole, tmp_path, capsys, monkeypatch):
    """Every chapter is a bookmark, in order; it and those of its sections lead to their titles, links into the book or
    to the web."""
    text, places = whole
    marked = with_marks(text), places
    monkeypatch.setattr(pdf, "document", lambda site, pages, title: marked if pages == PAGES else None)
    assert aside(lambda: pdf.main(site(tmp_path))) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"html", "superpos.pdf"}
    assert (tmp_path / "html/superpos.pdf").read_bytes() == (tmp_path / "superpos.pdf").read_bytes()
    book = PdfReader(tmp_path / "superpos.pdf")
    assert len(book.pages) > 60
    assert not at_the_foot(book)
    chapters = [mark for mark in book.outline if not isinstance(mark, list)]
    assert [mark.title for mark in chapters] == [f"{number(page)} {title(page)}".strip() for page in PAGES]
    starts = [book.get_destination_page_number(mark) or 0 for mark in chapters]
    assert starts == sorted(set(starts))
    parts = [part if isinstance(part, list) else [part] for part in book.outline]
    marks = [mark for part in parts for mark in part if not isinstance(mark, list)]
    assert len(marks) == len(places) > 100
    leads = [(letters(str(mark.title)), book.get_destination_page_number(mark) or 0) for mark in marks]
    on = {page: letters(book.pages[page].extract_text()) for _, page in leads}
    assert not [(name, page) for name, page in leads if name not in on[page]]
    annotations = [note.get_object() for page in book.pages for note in page.get("/Annots", [])]
    actions = [note["/A"]["/URI"] for note in annotations if "/URI" in note.get("/A", {})]
    assert actions
    assert not [uri for uri in actions if not uri.startswith("https://")]
    assert len(annotations) - len(actions) > 200  # inside the book
    sizes = [path.stat().st_size for path in (tmp_path / "superpos.pdf", *SITE.rglob("*")) if path.is_file()]
    assert sum(sizes) - ((SITE / pdf.NAME).stat().st_size if (SITE / pdf.NAME).exists() else 0) < MOST
    assert str(SITE.parent).encode() not in (tmp_path / "superpos.pdf").read_bytes()
    assert str(tmp_path) not in capsys.readouterr().err


@needs_browser
def test_one_build_gives_one_file(tmp_path):
    (tmp_path / "html").symlink_to(SITE)
    page = tmp_path / "superpos.html"
    text, places = pdf.document(tmp_path / "html", PAGES[:2], "T")
    page.write_text(text)
    made = [aside(lambda: pdf.printed(page, str(CHROMIUM))) for _ in range(2)]
    first, second = (pdf.finished(one, places, "T", "20260102") for one in made)
    assert first == second
    assert PdfReader(io.BytesIO(first)).metadata == {
        "/Title": "T", "/CreationDate": "D:20260102000000Z", "/ModDate": "D:20260102000000Z",
    }  # fmt: skip


def test_document_has_no_id_twice_and_no_dead_link(whole):
    text, places = whole
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert {name for _, _, name in places} <= set(ids)
    assert {name for name in re.findall(r' href="#([^"]*)"', text)} <= set(ids)
    assert "<script" not in text
    for source in re.findall(r' src="([^"]*)"', text):
        assert (SITE.parent / source).is_file()


@pytest.mark.parametrize(
    ("href", "there"),
    [
        ("#eq", "#book-a--eq"),
        ("b.html#fig", "#book-b--fig"),
        ("b.html", "#book-b--"),
        ("../index.html", "#index--"),
        ("https://example.org/b.html", "https://example.org/b.html"),
        ("../_sources/book/a.ipynb", None),
    ],
)
def test_links_move(href, there):
    assert pdf.moved(href, "book/a", ["index", "book/a", "book/b"]) == there


@needs_browser
def test_a_heading_at_the_foot_is_found(tmp_path):
    """A page has 734 points between its margins: below 34 lines of 20 there is room for two more, below 35 for one."""
    page, found = tmp_path / "page.html", {}
    for lines in (34, 35):
        text = (
            '<p style="height: 20pt; margin: 0">A line.</p>' * lines + '<h2 style="font: bold 14pt sans-serif">One</h2>'
        )
        page.write_text(with_marks(f'<body style="margin: 0"><main>{text}</main>'))
        book = PdfReader(io.BytesIO(aside(lambda: pdf.printed(page, str(CHROMIUM)))))
        found[lines] = at_the_foot(book)
    assert found[34] == []
    assert found[35] == [0]


def test_the_site_offers_what_it_has():
    """The front page links to the PDF if, and only if, it stands beside it; offered twice it is linked to once."""
    front = (SITE / "index.html").read_text()
    assert (f'href="{pdf.NAME}"' in front) == (SITE / pdf.NAME).exists()
    once = pdf.offered(front, 9_100_000)
    assert once.count(f'<a href="{pdf.NAME}">one PDF</a> (9 MB)') == 1
    assert pdf.offered(once, 9_100_000) == once
    with pytest.raises(AssertionError, match="no mark"):
        pdf.offered("<p>Nothing</p>", 1)


def test_failure_leaves_the_last_good_file(whole, tmp_path, monkeypatch, capsys):
    def fails(*given: object) -> bytes:
        raise OSError("no room")

    site(tmp_path)
    (tmp_path / "superpos.pdf").write_text("good")
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    assert pdf.main(tmp_path) == 1
    assert "apt-get install chromium" in capsys.readouterr().err
    monkeypatch.setattr(pdf.shutil, "which", lambda name: name)
    monkeypatch.setattr(pdf, "document", lambda *given: whole)
    monkeypatch.setattr(pdf, "printed", fails)
    with pytest.raises(OSError, match="no room"):
        pdf.main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"html", "superpos.pdf"}
    assert (tmp_path / "superpos.pdf").read_text() == "good"
    assert pdf.NAME not in {path.name for path in (tmp_path / "html").iterdir()}
