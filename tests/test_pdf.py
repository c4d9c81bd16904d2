"""The book as one PDF."""

import io
import re

import pdf
import pytest
import yaml
from browser import CHROMIUM, aside, needs_browser
from built_book import PAGES, ROOT, SITE, html
from pypdf import PdfReader


def title(page: str) -> str:
    """The title as the page shows it, without its mark."""
    heading = html(page).select_one("article h1")
    assert heading
    return " ".join("".join(text for text in heading.find_all(string=True, recursive=False)).split())


def number(page: str) -> str:
    found = html(page).select_one("article h1 .section-number")
    return found.get_text().strip() if found else ""


@pytest.fixture(scope="module")
def whole() -> tuple[str, list[pdf.Place]]:
    """The whole book as one page of HTML, and its headings."""
    return pdf.document(SITE, PAGES, yaml.safe_load((ROOT / "_config.yml").read_text())["title"])


@needs_browser
def test_whole_book(whole, tmp_path, capsys, monkeypatch):
    """Every chapter is a bookmark, in order, that leads to its title; links lead into the book or to the web."""
    (tmp_path / "html").symlink_to(SITE)
    monkeypatch.setattr(pdf, "document", lambda site, pages, title: whole if pages == PAGES else None)
    assert aside(lambda: pdf.main(tmp_path)) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"html", "superpos.pdf"}
    book = PdfReader(tmp_path / "superpos.pdf")
    assert len(book.pages) > 60
    chapters = [mark for mark in book.outline if not isinstance(mark, list)]
    assert [mark.title for mark in chapters] == [f"{number(page)} {title(page)}".strip() for page in PAGES]
    starts = [book.get_destination_page_number(mark) or 0 for mark in chapters]
    assert starts == sorted(set(starts))
    for page, start in zip(PAGES, starts, strict=True):
        assert title(page) in " ".join(book.pages[start].extract_text().split())
    annotations = [note.get_object() for page in book.pages for note in page.get("/Annots", [])]
    actions = [note["/A"]["/URI"] for note in annotations if "/URI" in note.get("/A", {})]
    assert actions
    assert not [uri for uri in actions if not uri.startswith("https://")]
    assert len(annotations) - len(actions) > 200  # inside the book
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


def test_failure_leaves_the_last_good_file(tmp_path, monkeypatch, capsys):
    def fails(*given: object) -> bytes:
        raise OSError("no room")

    (tmp_path / "html").symlink_to(SITE)
    (tmp_path / "superpos.pdf").write_text("good")
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    assert pdf.main(tmp_path) == 1
    assert "apt-get install chromium" in capsys.readouterr().err
    monkeypatch.setattr(pdf.shutil, "which", lambda name: name)
    monkeypatch.setattr(pdf, "printed", fails)
    with pytest.raises(OSError, match="no room"):
        pdf.main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"html", "superpos.pdf"}
    assert (tmp_path / "superpos.pdf").read_text() == "good"
