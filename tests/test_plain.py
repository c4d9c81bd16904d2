"""MyST in plain Markdown, as notebooks show it: every role and every box of the chapters, and what is left alone."""

import pytest
from chapters.names import Names, Page, Source, Target, read
from chapters.plain import Plain

NAMES = Names(
    pages={
        "book/05-back": Page("Writing back", "5", True, {"slope": "1.83 ± 0.05"}),
        "book/12-exact": Page("Exact superposition", "12", True),
        "index": Page("The book"),
    },
    targets={
        "eq-out": Target("book/05-back", "equation-eq-out", "(5.1)"),
        "fig-cell": Target("book/12-exact", "fig-cell", "Fig. 12.1"),
        "ex-mean": Target("book/05-back", "ex-mean", "Exercise 5.2", "Undo the $T$ means"),
        "thm-exact": Target("book/12-exact", "thm-exact", "Theorem 12.1"),
        "two-limits": Target("book/12-exact", "two-limits", "", "Two limits"),
    },
    sources={
        "bushnaq2024": Source("Bushnaq and Mendel", "2024", "https://example.org/post"),
        "hanni2024": Source("Hänni et al.", "2024", "https://example.org/arxiv"),
        "welch1974": Source("Welch", "1974", ""),
    },
)


def link(page: str, anchor: str) -> str:
    return "" if page == "index" else f"{page}#{anchor}"


plain = Plain("book/05-back", NAMES, link)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("with the power {glue:text}`slope` from", "with the power 1.83 ± 0.05 from"),
        ("{glue:text}`slope:.2f`", "1.83 ± 0.05"),
        ("grows {eq}`eq-out`.", "grows [(5.1)](book/05-back#equation-eq-out)."),
        ("{numref}`fig-cell`", "[Fig. 12.1](book/12-exact#fig-cell)"),
        ("{ref}`ex-mean`", "[Exercise 5.2](book/05-back#ex-mean)"),
        ("{ref}`two-limits`", "[Two limits](book/12-exact#two-limits)"),
        ("{ref}`as said <two-limits>`", "[as said](book/12-exact#two-limits)"),
        ("{prf:ref}`thm-exact`", "[Theorem 12.1](book/12-exact#thm-exact)"),
        ("{doc}`12-exact`", "[Exact superposition](book/12-exact#)"),
        ("{doc}`chapter 12 <12-exact>`", "[chapter 12](book/12-exact#)"),
        ("{doc}`the\n book </index>`", "the book"),  # no address, no link
        ("{cite:p}`bushnaq2024`", "[[Bushnaq and Mendel, 2024](https://example.org/post)]"),
        ("{cite}`welch1974`", "[Welch, 1974]"),
        ("{cite:t}`bushnaq2024` showed", "Bushnaq and Mendel [[2024](https://example.org/post)] showed"),
        (
            "{cite:p}`bushnaq2024, hanni2024`",
            "[[Bushnaq and Mendel, 2024](https://example.org/post); [Hänni et al., 2024](https://example.org/arxiv)]",
        ),
        ("code `{eq}` and ``{glue:text}`slope` `` stay", "code `{eq}` and ``{glue:text}`slope` `` stay"),
        ("so does `` a {eq}`eq-out` ``", "so does `` a {eq}`eq-out` ``"),
        ("{unknown}`role` stays", "{unknown}`role` stays"),
        ("(eq-old-name)=\n## A heading", "## A heading"),
        (
            "so\n\n$$ a = b . $$ (eq-out)\n\nand",
            'so\n\n<a id="equation-eq-out"></a>\n\n$$ a = b . \\tag{5.1} $$\n\nand',
        ),
        ("$$\na\n$$ (eq-out)", '<a id="equation-eq-out"></a>\n\n$$\na \\tag{5.1} $$'),
        ("$$ a $$\n\n$$ b $$ (eq-out)", '$$ a $$\n\n<a id="equation-eq-out"></a>\n\n$$ b \\tag{5.1} $$'),
        (
            ":::{admonition} In words\n:class: words\nOne {eq}`eq-out`.\n\nTwo.\n:::",
            "> **In words**\n>\n> One [(5.1)](book/05-back#equation-eq-out).\n>\n> Two.",
        ),
        (":::{note}\nMind.\n:::", "> **Note**\n>\n> Mind."),
        (
            ":::{exercise} Undo the $T$ means\n:label: ex-mean\nCould one?\n:::",
            '> <a id="ex-mean"></a>**Exercise 5.2 (Undo the $T$ means)**\n>\n> Could one?',
        ),
        (
            "::::{solution} ex-mean\n:class: dropdown\nYes:\n\n```python\n:::{note}\n{eq}`eq-out`\n:::\n```\n::::",
            "<details>\n<summary>Solution to Exercise 5.2 (Undo the $T$ means)</summary>\n\nYes:\n\n"
            "```python\n:::{note}\n{eq}`eq-out`\n:::\n```\n\n</details>",
        ),
        (
            ":::{admonition} Hint\n:class: dropdown hint\nLook.\n:::\nAfter.",
            "<details>\n<summary>Hint</summary>\n\nLook.\n\n</details>\nAfter.",
        ),
        (
            ":::{prf:theorem} Exact\n:label: thm-exact\n$$\na\n= b\n$$\n:::",
            '> <a id="thm-exact"></a>**Theorem 12.1 (Exact)**\n>\n> $$ a = b $$',
        ),
        (":::{prf:proof}\nSo. $\\square$\n:::", "> **Proof**\n>\n> So. $\\square$"),
        (":::{list-table}\n* - a\n:::", ":::{list-table}\n* - a\n:::"),  # no box
        (":::{note}\nnever closed", ":::{note}\nnever closed"),
    ],
)
def test_what_is_said_of_it(text, said):
    assert plain(text) == said


@pytest.mark.parametrize(
    "text", ["{eq}`eq-out`", "{glue:text}`slope`", "{doc}`chapter 12 <12-exact>`", "{cite:t}`a2024`"]
)
def test_without_a_build_nothing_fails_and_no_role_is_left(text):
    assert "{" not in Plain("book/05-back", Names(), link)(text)


def test_caption():
    metadata = {"mystnb": {"figure": {"name": "fig-cell", "caption": "By {eq}`eq-out`."}}}
    said = '<a id="fig-cell"></a>**Fig. 12.1.** By [(5.1)](book/05-back#equation-eq-out).'
    assert plain.caption(metadata) == said
    assert plain.caption({"tags": ["hide-input"]}) == ""


def test_names_are_read_as_they_were_written(tmp_path):
    NAMES.write(tmp_path / "names.json")
    assert read(tmp_path / "names.json") == NAMES
    assert read(tmp_path / "none.json") == Names()
