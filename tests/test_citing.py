"""How to cite: CITATION.cff, the Cite page and its BibTeX entries."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from built_book import NUMBERED, PAGES, ROOT, html
from jsonschema import Draft7Validator, FormatChecker
from pybtex.bibtex.utils import change_case
from pybtex.database import BibliographyData, Entry, parse_file, parse_string
from pybtex.richtext import Text
from sphinx.errors import ExtensionError
from superbook import address, citing, latex
from superbook.address import Address
from superbook.embedding import numbered
from superbook.pictures import key_figures

import superpos

# The schema of the Citation File Format 1.2.0, unchanged; by its authors, under CC BY 4.0.
SCHEMA = Path(__file__).with_name("cff-1.2.0.schema.json")
CFF = citing.citation()
PUBLISHED = Address("https://example.org/superpos/", "https://github.com/owner/name")
SOURCES = parse_file(ROOT / "book/references.bib", "bibtex").entries


def faults(cff: dict) -> list[str]:
    return [
        fault.message
        for fault in Draft7Validator(json.loads(SCHEMA.read_text()), format_checker=FormatChecker()).iter_errors(cff)
    ]


def test_citation_file_is_valid():
    assert not faults(CFF)
    assert faults(CFF | {"date-released": "yesterday"})
    assert faults({name: value for name, value in CFF.items() if name != "authors"})


def test_the_version_is_that_of_the_package():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"] == ["version"]
    assert CFF["version"] == superpos.__version__


def entries(page: str) -> BibliographyData:
    """All entries that a page shows; the parser refuses what is not BibTeX, and a key that stands twice."""
    shown = [pre.get_text() for pre in html(page).select("article pre")]
    return parse_string("\n".join(text for text in shown if text.startswith(("@book", "@incollection"))), "bibtex")


def test_cite_page_has_the_book_and_every_chapter():
    book, *chapters = entries("book/cite").entries.values()
    assert book.type == "book"
    assert str(book.persons["author"][0]) == f"{{{CFF['authors'][0]['name']}}}"
    titles = [html(page).select_one("article h1") for page in NUMBERED]
    assert len(chapters) == len(NUMBERED)
    for number, (chapter, title) in enumerate(zip(chapters, titles, strict=True), start=1):
        assert title
        assert chapter.fields["chapter"] == str(number)
        assert title.get_text().startswith(f"{number}. {shown(chapter.fields['title'])}")
    for entry in (book, *chapters):
        assert entry.fields["version"] == CFF["version"]
        assert entry.fields["date"] == CFF["date-released"]
        assert CFF["version"] in entry.fields["note"]
        assert CFF["date-released"] in entry.fields["note"]
    pages = ["", *(f"{page}.html" for page in NUMBERED)]  # while the book has no address, an entry says what to put
    assert [entry.fields["url"] for entry in (book, *chapters)] == [f"{citing.UNKNOWN}{page}" for page in pages]


def shown(title: str) -> str:
    """What a bibliography shows of a title without formulas."""
    return str(Text.from_latex(title))


ALL = {key: entry for page in ("index", *NUMBERED, "book/cite") for key, entry in entries(page).entries.items()}


def test_entries_of_the_pages_have_keys_of_their_own():
    assert len(ALL) == sum(len(entries(page).entries) for page in ("index", *NUMBERED, "book/cite"))


@pytest.mark.parametrize("key", ALL)
def test_latex_takes_an_entry(key):
    """ASCII; what stands outside formulas is escaped, in braces that match; no style changes a capital."""
    fields = ALL[key].fields
    assert fields
    for title in (fields["title"], fields.get("booktitle", "")):
        assert title.isascii(), title
        outside = re.sub(r"\$[^$]*\$", "", title.replace(r"\$", ""))
        assert not re.search(r"[$^_~#<>|]|(?<!\\)[&%]", outside), title
        assert not re.search(r"\\(text|[dt]frac|operatorname)\b", title), f"needs a package: {title}"
        assert len(shown(title)) <= 150
        capitals = re.sub(r"[^A-Z]", "", title)
        assert re.sub(r"[^A-Z]", "", change_case(title, "t")) == capitals, f"a style loses a capital of {title}"
    assert fields["url"].startswith(citing.UNKNOWN)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdfLaTeX here: apt-get install texlive-latex-base")
def test_pdflatex_and_bibtex_set_every_entry(tmp_path):
    (tmp_path / "all.bib").write_text(BibliographyData(ALL).to_string("bibtex"))
    cited = r"\nocite{*}\bibliographystyle{plain}\bibliography{all}"
    (tmp_path / "a.tex").write_text(rf"\documentclass{{article}}\begin{{document}}{cited}\end{{document}}")
    latex_ = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    for command in (latex_, ["bibtex", "a"], latex_):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    assert (tmp_path / "a.bbl").read_text().count(r"\bibitem") == len(ALL)
    assert "Missing character" not in (tmp_path / "a.log").read_text(errors="replace")


@pytest.mark.parametrize(
    ("text", "latex_"),
    [
        ("100% of A_1 & B", r"100\% of A\_1 \& B"),
        ("grows as T², 10⁻⁷ of WᵀW", r"grows as $T^2$, $10^{-7}$ of $W^\top W$"),
        ("from θ=0.47 on, |x|² < ∞", r"from $\theta =0$.47 on, $|x|^2$ $<$ $\infty$"),
        ("Hänni’s – “1/√D”", "H{\\\"a}nni's -- ``1/$\\surd D$''"),
        ("a ~ {b} ^ \\c", r"a \textasciitilde{} \{b\} \textasciicircum{} \textbackslash{}c"),
    ],
)
def test_signs_are_written_as_latex_reads_them(text, latex_):
    assert latex.escaped(text) == latex_


def test_a_sign_without_latex_is_refused():
    with pytest.raises(ExtensionError, match=re.escape("'½' (U+00BD)")):
        latex.escaped("½")


def test_formulas_are_those_of_the_caption():
    caption = html("book/03-embedding-matrix").select_one("#fig-overlap figcaption")
    assert caption
    assert "the normal density of variance $1/D$" in latex.of(caption)
    assert latex.plainly("w_{\\text{out}}\n = \\tfrac12") == r"w_{\mathrm{out}} = \frac12"


def test_braces_keep_capitals():
    title = "Figure 1.2: A ReLU of T circuits, (MLP) in $D$: Noise. It is Gaussian."
    kept = "Figure 1.2: A {ReLU} of {T} circuits, ({MLP}) in {$D$}: Noise. {It} is {Gaussian}."
    assert latex.protected(title) == kept
    assert change_case(kept, "t") == kept


def test_a_title_is_the_finding_or_the_beginning_of_the_caption():
    assert numbered("Fig. 2.2 Four circuits, in the plane of $x$: where \\; each is. Then more.") == (
        "2.2",
        "Four circuits, in the plane of $x$",
    )
    assert numbered("Fig. 1 Left: nine circuits share three slots. Right: more.") == (
        "1",
        "Nine circuits share three slots",
    )
    found = ALL["superpos-fig-written-back"].fields
    assert found
    assert found["title"].startswith("Figure 5.3: What silent circuits write back grows almost as {$T^2$};")


def test_entries_name_the_address_where_there_is_one():
    book = parse_string(citing.book_entry(CFF, PUBLISHED), "bibtex").entries["superpos"]
    assert book.fields["url"] == "https://example.org/superpos/"
    named = latex.escaped("Figure 1.2: 100% of A_1 & B")
    part = citing.part_entry(CFF, PUBLISHED, "book/a.html#fig-a", "fig-a", named, "1")
    figure = parse_string(part, "bibtex").entries["superpos-fig-a"]
    assert figure.fields["url"] == "https://example.org/superpos/book/a.html#fig-a"
    assert figure.fields["title"] == r"Figure 1.2: 100\% of {A\_1} \& {B}"


def test_authors_are_written_as_bibtex_reads_them():
    assert (
        citing.author({"family-names": "Berg", "given-names": "Ada", "name-particle": "van den"}) == "van den Berg, Ada"
    )
    assert citing.author({"name": "A & B"}) == r"{A \& B}"


@pytest.mark.parametrize(
    ("given", "site", "repository"),
    [
        ({}, "", ""),
        (
            {"site_url": "https://a.org/b", "repository": "https://github.com/o/n.git"},
            "https://a.org/b/",
            "https://github.com/o/n",
        ),
        (
            {"site_url": "https://a.org/b//", "repository": "https://github.com/o/n/"},
            "https://a.org/b/",
            "https://github.com/o/n",
        ),
    ],
)
def test_addresses_have_a_standard_form(given, site, repository):
    assert address.address(given, {}) == Address(site, repository)


def test_environment_takes_precedence():
    given = {"site_url": "https://a.org/", "repository": "https://github.com/o/n"}
    assert address.address(given, {"SITE_URL": "", "REPOSITORY": "https://b.org/n"}) == Address("", "https://b.org/n")


@pytest.mark.parametrize("wrong", ["example.org", "ftp://example.org", "https://", "https://a b"])
def test_an_address_that_cannot_be_one_is_refused(wrong):
    with pytest.raises(ExtensionError, match=re.escape(repr(wrong))):
        address.address({"site_url": wrong}, {})


def test_the_book_has_one_place_for_its_address():
    assert set(yaml.safe_load((ROOT / "book/site.yml").read_text())) == {
        "site_url",
        "repository",
        "branch",
        "notebooks",
    }


def test_only_github_has_forms():
    assert PUBLISHED.edit("book/a") == "https://github.com/owner/name/edit/main/book/a.md"
    assert not Address(repository="https://gitlab.com/owner/name").edit("book/a")
    assert not Address(repository="https://gitlab.com/owner/name").report("book/a.html")


def test_only_github_launches():
    assert set(PUBLISHED.launches("book/a")) == {"Binder", "Colab"}
    assert not Address(repository="https://gitlab.com/owner/name").launches("book/a")
    assert Address(repository="https://gitlab.com/owner/name").source("book/a") == "https://gitlab.com/owner/name"


def test_cite_page_lists_what_can_be_cited_in_the_order_of_the_book():
    """Key figures, and every one with sliders."""
    links = [str(link["href"]) for link in html("book/cite").select("article a[href]")]
    listed = [link.rpartition("/")[2].removesuffix(".html") for link in links if "/embed/" in link]
    wanted = []
    for page in ("index", *NUMBERED):
        for figure in html(page).select("figure[id]"):
            if figure["id"] in key_figures()[page] or figure.select_one(".explore"):
                wanted.append(figure["id"])
    assert listed == wanted
    chapters = [link for link in links if link.endswith(".html") and "/" not in link and link[:2].isdecimal()]
    assert chapters == [f"{page.removeprefix('book/')}.html" for page in NUMBERED]


def test_every_page_leads_to_its_entry():
    for page in PAGES:
        link = html(page).select_one(".colophon a[href*='cite.html']")
        assert link
        name = str(link["href"]).partition("#")[2]
        entry = html("book/cite").find(id=name) if name else None
        assert (entry is not None) == (page in NUMBERED)
        if entry:
            inside = entry.find_next("pre")
            assert inside
            assert f"/{page.removeprefix('book/')}.html" in inside.get_text()


def label(entry: Entry) -> str:
    """How the text cites a source: who and when."""
    assert entry.persons
    assert entry.fields
    names = [" ".join(person.last_names) for person in entry.persons["author"]]
    who = " and ".join(names) if len(names) < 3 else f"{names[0]} and others"
    return f"{who}, {entry.fields['year']}"


@pytest.mark.parametrize("key", SOURCES)
def test_a_source_has_an_author_a_year_and_an_address(key):
    entry = SOURCES[key]
    assert entry.persons
    assert entry.fields
    assert entry.persons["author"]
    assert re.fullmatch(r"\d{4}[a-z]?", entry.fields["year"])
    assert re.fullmatch(r"https://\S+", entry.fields.get("url", "")) or entry.fields.get("doi", "").startswith("10.")


def test_sources_are_cited_differently():
    assert len({label(entry) for entry in SOURCES.values()}) == len(SOURCES)


def test_the_page_of_references_shows_author_year_and_address():
    shown = {str(one["id"]).removeprefix("ref-"): one for one in html("book/references").select("article .citation")}
    assert set(shown) == set(SOURCES)
    for key, entry in SOURCES.items():
        assert entry.fields
        assert entry.fields["year"] in shown[key].get_text()
        assert shown[key].select("a.external[href^=https]")


def test_what_the_text_prints_leads_to_one_source():
    """The same name and year in two places are one source; where the year alone is the link, the name is beside it."""
    found: dict[str, set[str]] = {}
    for page in PAGES:
        for link in html(page).select("article a[href*='#ref-']"):
            found.setdefault(link.get_text(), set()).add(str(link["href"]).partition("#")[2])
    labels = {words: keys for words, keys in found.items() if re.search(r"[^\W\d].*\d{4}", words)}
    assert labels
    assert {words for words, keys in labels.items() if len(keys) > 1} == set()
