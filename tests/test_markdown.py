"""Each page as plain Markdown, and llms.txt, which lists them."""

import re
from pathlib import Path

import pytest
from built_book import NUMBERED, PAGES, SITE, article, html
from superbook import markdown
from superbook.address import Address

LEFT = {  # what must not be left of the page or of its source
    "a directive": re.compile(r"^:::|^```\{|\{(?:glue|cite|ref|numref|eq|doc|prf)\b[^}]*\}`", re.MULTILINE),
    "markup": re.compile(r"</?(?:div|span|details|p|figure|script|math|button)\b"),
    "a mark": re.compile("[\ue000-\uf8ff]"),
    "a sign to link to": re.compile(r"#\]\(|\[¶\]"),
    "a control": re.compile(r"^Cite / embed|Change the figure", re.MULTILINE),
}
FENCE = re.compile(r"^([> ]*)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def text(page: str) -> str:
    return (SITE / f"{page}.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_plain_markdown(page):
    """All of its formulas, pictures and sections; links to files that are there; nothing of the HTML."""
    said, shown = text(page), article(page)
    outside = FENCE.sub("", said)
    assert {what: found[0] for what, fault in LEFT.items() if (found := fault.search(outside))} == {}
    heads = [head for head in shown.select("h1, h2, h3")]
    assert len(re.findall(r"^#{1,3} ", outside, re.MULTILINE)) == len(heads)
    pictures = re.findall(r"!\[(.*?)\]\((\S+)\)", outside)
    figures = {str(image["alt"]) for image in shown.select("figure img")}
    assert figures <= {alt for alt, _ in pictures}
    links = [link for _, link in pictures] + re.findall(r"(?<!!)\[[^\]]*\]\(<?([^)\s>]+)", outside)
    for link in links:
        if not re.match(r"[a-z]+:", link):
            path, _, name = link.partition("#")
            target = (SITE / f"{page}.md").parent / path
            assert target.is_file(), link
            assert not name or target.suffix == ".html"
    alternate = html(page).select_one('link[rel="alternate"][type="text/markdown"]')
    assert alternate
    assert alternate["href"] == f"{Path(page).name}.md"


@pytest.mark.parametrize("page", NUMBERED)
def test_every_formula_is_its_tex(page):
    said = " ".join(text(page).split()).replace(r"\vert ", "|").replace(r"\Vert ", r"\|")
    for formula in article(page).select(".katex-display:not(.for-narrow) annotation, .math > .katex annotation"):
        assert " ".join(formula.get_text().split()) in said
    numbered = [tag.get_text().strip("()#") for tag in article(page).select("div.math .eqno")]
    assert re.findall(r"\\tag\{([\d.]+)\}", said) == numbered


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            '<p>Is <span class="math"><span class="katex"><span class="katex-mathml"><math><annotation '
            'encoding="application/x-tex">a_1 &lt; b</annotation></math></span><span class="katex-html"><span>a</span>'
            "</span></span></span>, *so*.</p>",
            "Is $a_1 < b$, *so*.",
        ),
        (
            '<div class="math"><span class="eqno">(1.2)</span><span class="katex-display for-wide"><span class="katex">'
            '<annotation encoding="application/x-tex">a</annotation></span></span><span class="katex-display '
            'for-narrow"><span class="katex"><annotation encoding="application/x-tex">b</annotation></span></span>'
            "</div>",
            "$$\na \\tag{1.2}\n$$",
        ),
        (
            '<div class="highlight-ipython3 notranslate"><div class="highlight"><pre><span class="n">a</span> = 1\n\n'
            '<span class="n">b_c</span> = a * 2\n</pre></div></div>',
            "```python\na = 1\n\nb_c = a * 2\n```",
        ),
        (
            '<div class="admonition"><p class="admonition-title">In words</p><p>One.</p><p>Two.</p></div>',
            "> **In words**\n>\n> One.\n>\n> Two.",
        ),
        (
            '<div class="claim"><p>✓ It holds.</p><dl><div><dt>predicted</dt><dd>1</dd></div><div><dt>measured</dt>'
            "<dd>2</dd></div></dl></div>",
            "> ✓ It holds.\n>\n> predicted: 1; measured: 2.",
        ),
        (
            '<figure id="fig-a"><img alt="A line." src="../_images/a.svg"><img alt="A line." src="../_images/b.svg">'
            "<figcaption><p>Fig. 1 A <em>line</em>.</p></figcaption></figure>",
            "![A line.](../_images/a.svg)\n\nFig. 1 A *line*.",
        ),
        (
            '<a href="b.html">b</a> <a href="b.html#c">c</a> <a href="#d">d</a> <a href="../e/f.html">e</a>',
            "[b](b.md) [c](b.html#c) [d](a.html#d) [e](../e/f.html)",
        ),
        ('<a href="https://a.org/x.html" title="y">z</a>', "[z](https://a.org/x.html)"),
        ("<p>x<sup>2</sup></p>", "x<sup>2</sup>"),
    ],
)
def test_what_the_library_has_no_rule_for(body, said):
    assert markdown.markdown(body, "book/a", ["book/a", "book/b"]) == f"{said}\n"


def test_a_bar_in_a_formula_ends_no_column():
    tex = '<span class="katex"><annotation encoding="application/x-tex">|x| \\le \\|y\\|</annotation></span>'
    row = markdown.markdown(f"<table><tr><th>a</th></tr><tr><td>{tex}</td></tr></table>", "a", []).splitlines()[-1]
    assert row == r"| $\vert x\vert  \le \Vert y\Vert $ |"


def test_the_list_names_every_page_once():
    """As https://llmstxt.org has it: a title, a quotation, then lists of links, each with a sentence."""
    lines = (SITE / "llms.txt").read_text().splitlines()
    assert lines[0] == "# Circuits in Superposition"
    assert lines[2].startswith("> How can one neural network")
    links = re.findall(r"^- \[(.+?)\]\((\S+)\): (.{20,})$", "\n".join(lines), re.MULTILINE)
    assert [link for _, link, _ in links] == [f"{page}.md" for page in PAGES[1:]]
    assert [name for name, *_ in links[:2]] == ["1. Storing is not computing", "2. Small circuits"]
    assert "(index.md)" in "\n".join(lines)
    assert next(line for line in lines if line.startswith("## ")) == "## Foundations"
    published = markdown.listed("A", {"index": "B.", "book/a": "C."} | dict.fromkeys(PAGES, "D."), dict.fromkeys(
        ["index", *PAGES], "E"), Address("https://a.org/b/"))  # fmt: skip
    assert "- [E](https://a.org/b/book/01-storing.md): D." in published
