"""The directive `offered`: everything that a module of the package offers, from its docstrings.

A docstring is nearly Markdown: code stands in single backticks, a formula is indented, and a line that ends with a
colon (`Args:`, `Raises:` …) heads a list. Sphinx's own Python domain sets the signatures; *Chapter 6* becomes a link,
and so does the name, in backticks, of anything else on the page.
"""

import functools
import re
from collections.abc import Iterator
from textwrap import dedent
from typing import Any
from unicodedata import normalize

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from .definitions import Definition, about, offered, path_of, public
from .places import ROOT

HEADS = {name: name for name in ("Attributes", "Returns", "Raises", "Example")} | {"Args": "Arguments"}
HEAD = re.compile(rf"({'|'.join(HEADS)}):$")
ITEM = re.compile(r"([\w*`]+(?:, [\w*`]+)*): (.*)", re.DOTALL)
CHAPTERS = re.compile(r"\b[Cc]hapters? (\d+)((?:(?:, | and | to )\d+)*)")
SCRIPT = re.compile(  # an index after a single letter, with or without a mark; a power after anything
    r"(?:(?<![A-Za-z0-9_][A-Za-z])(?<=[^\W\d_]|['′\u0300-\u036f])(_)|\^)(\{[^{}]*\}|[A-Z]|[a-zα-ω]+(?:,[a-z])?|[−+]?\d+|[*′])"
)
MATHEMATICAL = re.compile("([\U0001d400-\U0001d7ff])")
SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)
LISTED = re.compile(r"<(/?)d[ld]>")
METHODS = ("target", "spd", "apd", "costs", "starts", "grouping", "dictionaries", "transcoded", "nonnegative", "toys")
ALSO = (  # modules whose names a user meets without calling them from `superpos`
    "compression",
    "blocks",
    *(f"apart.{method}" for method in METHODS),
)
CODE = re.compile(r"(`[^`]*`|\*\*[^*]+\*\*|\*[A-Z][^*]*\*)")  # what is Markdown already: code, and a few words marked
SPECIAL = re.compile(r"([*$<>\[\]{}\\])|(?<!\w)(_)|(_)(?!\w)")


def chapter_files() -> dict[str, str]:
    """The page of each chapter, by its number."""
    return {str(int(path.name[:2])): path.stem for path in sorted((ROOT / "book").glob("[0-9][0-9]-*.md"))}


def with_links(text: str) -> str:
    """The text, with each number of a chapter as a link to it."""
    files = chapter_files()

    def link(shown: str, number: str) -> str:
        return f"[{shown}]({files[number]}.md)" if number in files else shown

    def linked(found: re.Match[str]) -> str:
        if not found[2]:
            return link(found[0], found[1])
        word = found[0].split()[0]
        return word + re.sub(r"\d+", lambda number: link(number[0], number[0]), f" {found[1]}{found[2]}")

    return CHAPTERS.sub(linked, text)


def prose(text: str) -> str:
    """A paragraph of a docstring as Markdown on one line: of its marks only those of `CODE` mean anything."""
    parts = CODE.split(" ".join(text.split()))
    return "".join(p if CODE.fullmatch(p) else with_links(SPECIAL.sub(r"\\\g<0>", p)) for p in parts)


def paragraphs(text: str) -> Iterator[str]:
    """Prose and, where it is indented, a formula as it stands."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if block.startswith("    "):
            yield "```\n" + re.sub(r"^    ", "", block, flags=re.MULTILINE) + "\n```"
        elif block.strip():
            yield prose(re.sub(r"::\s*$", ":", block))


def items(text: str) -> str:
    """The list below a head, as a definition list; what has no name stays prose."""
    lines = re.sub(r"^    ", "", text.strip("\n"), flags=re.MULTILINE)
    found = []
    for block in re.split(r"\n(?=\S)", lines):
        named = ITEM.fullmatch(block)
        if named:
            terms = ", ".join(f"`{name.strip('`')}`" for name in named[1].split(", "))
            found.append(f"{terms}\n: {prose(named[2])}")
        else:
            found.append(prose(block))
    return "\n\n".join(found)


def markdown(doc: str) -> str:
    """A docstring as the page has it."""
    text, head, held = [], "", []

    def close() -> None:
        said = "\n".join(held)
        if said.strip():
            listed = f"```{{code-block}} python\n{dedent(said).strip()}\n```" if head == "Example" else items(said)
            text.append(f":::{{rubric}} {HEADS[head]}\n:::\n\n{listed}" if head else "\n\n".join(paragraphs(said)))
        held.clear()

    for line in doc.splitlines():
        if found := HEAD.fullmatch(line):
            close()
            head = found[1]
        else:
            if head and line and not line.startswith(" "):
                close()
                head = ""
            held.append(line)
    close()
    return "\n\n".join(text)


def derived(definition: Definition) -> str:
    """The docstring, which names a chapter; where it does not, the chapter of its module is added."""
    if CHAPTERS.search(definition.doc):
        return definition.doc
    module, _, _ = definition.home.rpartition(".")
    found = CHAPTERS.search(about(definition.home)) or CHAPTERS.search(about(module))
    return f"{definition.doc}\n\n{found[0][0].upper()}{found[0][1:]}." if found else definition.doc


def entry(one: Definition, fence: int = 6) -> str:
    """A definition and its members in MyST, for Sphinx's Python domain."""
    member = one.kind in ("method", "staticmethod", "property")
    body = [markdown(one.doc if member else derived(one))]
    body += [f"Has all that `{base}` has." for base in one.bases if resolved(base, one.name)]
    body += [entry(inner, fence - 1) for inner in one.members]
    kind, said, options = one.kind, one.signature, ""
    if kind == "property":
        options, said = f":type: {said.removeprefix(': ')}\n", ""
    elif kind == "data":
        options, said = f":value: {said.removeprefix(' = ')}\n", ""
    elif kind == "staticmethod":
        kind, options = "method", ":staticmethod:\n"
    ticks = "`" * fence
    return f"{ticks}{{py:{kind}}} {one.name}{said}\n{options}\n" + "\n\n".join(filter(None, body)) + f"\n{ticks}"


@functools.cache
def known() -> frozenset[str]:
    """Every name on the page. It is its own id."""
    modules = [name for name in public("superpos") if path_of(f"superpos.{name}")]
    found = [one for name in ("", *modules, *ALSO) for one in offered(f"superpos.{name}".rstrip("."))]
    return frozenset(name.name for one in found for name in (one, *one.members))


def resolved(said: str, near: str) -> str | None:
    """The entry that is meant by a name in an entry or a module `near` it; None if there is none."""
    around = near.split(".")
    for depth in range(len(around), 0, -1):
        if (name := ".".join([*around[:depth], said])) in known():
            return name
    found = [name for name in known() if name.endswith(f".{said}")]
    return said if said in known() else found[0] if len(found) == 1 and said[:1].isupper() else None


def letters(text: str) -> list[nodes.Node]:
    """Text, its mathematical letters as plain ones that are emphasised: few fonts have them."""
    parts = MATHEMATICAL.split(text)
    return [nodes.emphasis("", normalize("NFKC", p)) if MATHEMATICAL.match(p) else nodes.Text(p) for p in parts]


def scripts(text: str) -> list[nodes.Node]:
    """Text in which `w_t^l` has its index below and its power above."""
    made, end = [], 0
    for found in SCRIPT.finditer(text):
        kind = nodes.subscript if found[1] else nodes.superscript
        made += [*letters(text[end : found.start()]), kind("", found[2].strip("{}"))]
        end = found.end()
    return [node for node in [*made, *letters(text[end:])] if node.astext()]


class Offered(SphinxDirective):
    """`offered` and a module: one entry for each of its public names, after what the module says of itself."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        entries = offered(module)
        for home in {module, *(one.home for one in entries)}:
            self.env.note_dependency(str(path_of(home)))
        said = [] if module == "superpos" else [markdown(about(module))]
        found = self.parse_text_to_nodes("\n\n".join([*said, *map(entry, entries)]))
        for node in found:
            set_mathematics(node)
            link(node, module)
        return found


def set_mathematics(node: nodes.Node) -> None:
    """Indices and powers in prose and in formulas; code stays as it is."""
    for formula in [block for block in node.findall(nodes.literal_block) if block["language"] != "python"]:
        raw = f"formula {formula.astext()}"  # Sphinx colours as code what is as it was written
        formula.replace_self(nodes.literal_block(raw, "", *scripts(formula.astext()), classes=["formula"]))
    for text in list(node.findall(nodes.Text)):
        around = text.parent
        if isinstance(around, nodes.paragraph | nodes.term):
            place = around.index(text)
            around[place : place + 1] = scripts(str(text))


def leading(name: str, content: list[nodes.Node]) -> list[nodes.Node]:
    """The content as a link within the page: without a preview, which a page of links would be full of."""
    return [
        nodes.raw("", f'<a class="entry" href="#{name}">', format="html"),
        *content,
        nodes.raw("", "</a>", format="html"),
    ]


def mend_page(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Sphinx lists the arguments of a long signature as descriptions of nothing: here they are blocks."""
    context["body"] = SIGNATURE.sub(lambda found: LISTED.sub(r"<\1div>", found[0]), context.get("body", ""))


def link(node: nodes.Node, module: str) -> None:
    """Let every name of what stands on the page lead there: those in backticks, and the types of the signatures."""

    def near(one: nodes.Node) -> str:
        while one.parent is not None:
            one = one.parent
            if isinstance(one, addnodes.desc):
                signature = one[0]
                assert isinstance(signature, addnodes.desc_signature)
                return signature["ids"][0]
        return module

    for type_ in list(node.findall(addnodes.pending_xref)):
        if type_["refdomain"] == "py":
            name, content = resolved(type_["reftarget"], module), [child.deepcopy() for child in type_.children]
            type_.replace_self(leading(name, content) if name else content)
    for literal in list(node.findall(nodes.literal)):
        name, here = resolved(literal.astext().removesuffix("()"), near(literal)), near(literal)
        if name and name != here and not isinstance(literal.parent, nodes.reference | nodes.term):
            literal.replace_self(leading(name, [literal.deepcopy()]))


def register(app: Sphinx) -> None:
    app.add_directive("offered", Offered)
    app.add_css_file("reference.css")
