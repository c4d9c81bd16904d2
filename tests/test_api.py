"""The page of the package: every public name is on it with what its docstring says, and nothing else is."""

import re
import textwrap

import pytest
from bs4 import BeautifulSoup
from built_book import article
from docutils import nodes
from superbook import definitions, reference

PAGE = "book/api"
MODULES = [name for name in definitions.public("superpos") if definitions.path_of(f"superpos.{name}")]
OFFERED = [one for name in ("superpos", *(f"superpos.{m}" for m in (*MODULES, *reference.ALSO)))
           for one in definitions.offered(name)]  # fmt: skip
PRIVATE = re.compile(r"(?<![\w.'’\u0300-\u036f])_[a-z]\w*|\._[a-z]\w*")


def entry(name: str) -> BeautifulSoup:
    """The entry of one name: its signature and what is said below it."""
    found = article(PAGE).find(id=name)
    assert found is not None, f"{name} is not on the page"
    assert found.parent is not None
    return BeautifulSoup(str(found.parent), "html.parser")


def test_every_part_of_the_package_offers_something():
    assert len(MODULES) > 9
    assert not [name for name in MODULES if not definitions.offered(f"superpos.{name}")]
    assert len({one.name for one in OFFERED}) == len(OFFERED) > 90


@pytest.mark.parametrize("one", OFFERED, ids=lambda one: one.name)
def test_a_public_name_says_what_it_is_and_where_that_is_derived(one):
    """A docstring, in a sentence; a chapter, its own or that of its module; the members of a class likewise."""
    assert re.match(r"[^\n]+[.:,]|[^\n]+\n", one.doc + "\n"), f"{one.name} has no docstring"
    assert reference.CHAPTERS.search(reference.derived(one)), f"neither {one.name} nor its module names a chapter"
    assert not [member.name for member in one.members if not member.doc]
    assert not [found for part in (one, *one.members) for found in PRIVATE.findall(f"{part.signature} {part.doc}")]


def test_page_has_every_name_and_a_link_to_its_chapter():
    page = article(PAGE)
    ids = {str(tag["id"]) for tag in page.select("dt.sig[id]")}
    assert ids == reference.known()
    for one in OFFERED:
        sign = page.find(id=one.name)
        assert sign is not None
        assert sign.parent is not None
        assert sign.parent.select('dd a[href*="-"][href$=".html"]'), f"{one.name}: no link to a chapter"


def test_page_shows_no_private_name_and_no_markup():
    text = article(PAGE).get_text()
    assert not PRIVATE.findall(text)
    assert not re.findall(r"\w\^\w|\{py:|\bArgs:|jaxtyping\.|<class|```|:::", text)


def test_page_has_shapes_arguments_errors_and_sources():
    page = article(PAGE)
    found = page.find(id="superpos.balanced.embed")
    assert found is not None
    assert found.parent is not None
    said = " ".join(found.parent.get_text(" ").split())
    for part in ("circuits : MLPCircuits", "Arguments", "Raises", "ValueError", "Source: Linsefors", "Chapter 10"):
        assert part in said, part
    run = page.find(id="superpos.network.Network.run")
    assert run is not None
    assert "Int64[Tensor, 'B z']" in " ".join(run.get_text().split())


def test_signatures_are_as_they_are_written(tmp_path, monkeypatch):
    """Shapes in quotes, keywords behind the star, a dataclass by its fields, a class by its `__init__`."""
    (tmp_path / "superpos").mkdir()
    (tmp_path / "superpos/__init__.py").write_text('__all__ = ["part", "call"]\nfrom superpos.part import call\n')
    source = '''
    """Things. Chapters 2 to 4."""
    __all__ = ["LIMIT", "Box", "Plain", "call", "hidden"]
    from superpos.other import far as hidden
    LIMIT = 3  # how many
    @dataclass(frozen=True)
    class Box:
        """A box."""
        size: Float[Tensor, " L"]
        name: str = "a"
        made: list = field(default_factory=list)
        @property
        def half(self) -> float:
            """Half."""
        @staticmethod
        def of(size: int) -> "Box":
            """Made."""
        def _own(self):
            """Not shown."""
        def silent(self): ...
    class Plain(Box):
        """Plain."""
        def __init__(self, a: int, *rest: str) -> None: ...
    def call(x: Float[Tensor, "B d"], k=2, *, seed: int = 0, **more: int) -> Box:
        """Call."""
    '''
    (tmp_path / "superpos/part.py").write_text(textwrap.dedent(source))
    (tmp_path / "superpos/other.py").write_text('def far():\n    """Far."""\n')
    monkeypatch.setattr(definitions, "ROOT", tmp_path)
    definitions.parsed.cache_clear()
    try:
        found = {one.name: one for one in definitions.offered("superpos.part")}
        [call] = definitions.offered("superpos")
    finally:
        definitions.parsed.cache_clear()
    assert list(found) == [f"superpos.part.{name}" for name in ("LIMIT", "Box", "Plain", "hidden")]
    assert call.signature == '(x: Float[Tensor, "B d"], k=2, *, seed: int = 0, **more: int) -> Box'
    limit, box, plain, hidden = found.values()
    assert (limit.kind, limit.signature, limit.doc) == ("data", " = 3", "How many.")
    assert box.signature == '(size: Float[Tensor, "L"], name: str = "a", made: list)'
    assert [(one.kind, one.name.rpartition(".")[2]) for one in box.members] == [
        ("property", "half"),
        ("staticmethod", "of"),
    ]
    assert (plain.signature, plain.bases) == ("(a: int, *rest: str)", ("Box",))
    assert (hidden.home, hidden.doc) == ("superpos.other", "Far.")
    with pytest.raises(LookupError, match="has no nothing"):
        definitions.define("superpos.part.nothing")


@pytest.mark.parametrize(
    ("written", "links"),
    [
        ("Chapter 6.", "[Chapter 6](06-error-analysis.md)."),
        ("chapters 6 and 7", "chapters [6](06-error-analysis.md) and [7](07-many-layers.md)"),
        ("chapters 3, 4", "chapters [3](03-embedding-matrix.md), [4](04-writing-to-the-neurons.md)"),
        ("Chapters 3 to 5", "Chapters [3](03-embedding-matrix.md) to [5](05-writing-back.md)"),
        ("Chapter 99.", "Chapter 99."),
        ("as `Chapter 6` does", "as `Chapter 6` does"),
    ],
)  # fmt: skip
def test_chapters_become_links(written, links):
    assert reference.prose(written) == links


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("w_t^l a", "w<t>[l] a"),
        ("E_{t≠u}⟨e|", "E<t≠u>⟨e|"),
        ("{0,1}^n", "{0,1}[n]"),
        ("w̄_ij, x̂_t, x'_t, Δw_t", "w̄<ij>, x̂<t>, x'<t>, Δw<t>"),
        ("last_relu and rms_t stay", "last_relu and rms_t stay"),
    ],
)
def test_indices_and_powers(written, shown):
    def text(node: nodes.Node) -> str:
        marks = {nodes.subscript: "<{}>", nodes.superscript: "[{}]"}.get(type(node), "{}")
        return marks.format(node.astext())

    assert "".join(map(text, reference.scripts(written))) == shown


def test_a_docstring_as_markdown():
    doc = """The mean of |x|, [0, 1) in * all.

    With an equation,

        y = x_t * 2
          + 1

    and more::

    Args:
        x, y: the first,
            on two lines.
        z: last.

    Raises:
        ValueError: never.

    Source: us.
    """
    made = reference.markdown(textwrap.dedent(doc.replace("The mean", "    The mean", 1)))
    assert "y = x_t * 2\n  + 1\n```" in made
    assert r"The mean of |x|, \[0, 1) in \* all." in made
    assert "and more:\n" in made
    assert "`x`, `y`\n: the first, on two lines.\n\n`z`\n: last." in made
    assert ":::{rubric} Raises\n:::\n\n`ValueError`\n: never.\n\nSource: us." in made
