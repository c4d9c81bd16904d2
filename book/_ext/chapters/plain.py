r"""A text of MyST in plain Markdown, as every notebook shows it: no role and no directive is left.

Values and numbers take the places of the roles that ask for them. Boxes become quotations, or <details> where the page
folds them; a displayed formula keeps its `$$` and is given its number by `\tag`. Whatever is not known stays as it is.
"""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .names import Names, Source

FENCE = re.compile(r"(?P<mark>`{3,}|~{3,}|:{3,})(?P<info>.*)")
DIRECTIVE = re.compile(r"\{(?P<name>[\w:-]+)\}[ \t]*(?P<argument>.*)")
OPTION = re.compile(r":(?P<key>[\w-]+):[ \t]*(?P<value>.*)")
LABEL = re.compile(r"\([\w:-]+\)=[ \t]*\n?")
FORMULA = re.compile(r"^(\$\$.+?)\s*\$\$(?:[ \t]*\(([\w:-]+)\))?[ \t]*$", re.MULTILINE | re.DOTALL)
BROKEN = re.compile(r"\$\$[^$]+\$\$")
SPAN = re.compile(
    r"(?<![\w`\\])\{(?P<role>[a-z][\w:-]*)\}`(?P<content>[^`]+)`|(?P<ticks>(?<!`)`+(?!`)).+?(?<!`)(?P=ticks)(?!`)",
    re.DOTALL,
)
TITLED = re.compile(r"(?P<title>.+?)\s*<(?P<target>[^<>]+)>", re.DOTALL)
Link = Callable[[str, str], str]  # page and anchor -> address; empty if there is none


@dataclass(frozen=True)
class Plain:
    """What makes the texts of one page plain.

    Attributes:
        page: whose texts these are.
        names: what they may refer to.
        link: the address of a page and an anchor on it, seen from the notebook.
    """

    page: str
    names: Names
    link: Link

    def __call__(self, text: str) -> str:
        """The whole text in plain Markdown."""
        said = [self._fenced(*part) if isinstance(part, tuple) else self._prose(part) for part in parts(text)]
        return "\n".join(said)

    def line(self, text: str) -> str:
        """The same for what stands in one line, without blocks: a caption, a title."""
        return SPAN.sub(self._span, text)

    def caption(self, metadata: Mapping[str, Any]) -> str:
        """Number and caption of the figure that a cell draws, for below it; empty if it draws none."""
        figure = metadata.get("mystnb", {}).get("figure", {})
        if not figure.get("caption"):
            return ""
        known = self.names.targets.get(figure.get("name", ""))
        number = f"{anchor(known.anchor)}**{known.text}.** " if known else ""
        return number + self.line(figure["caption"])

    def _prose(self, text: str) -> str:
        return self.line(FORMULA.sub(self._formula, LABEL.sub("", text)))

    def _formula(self, found: re.Match[str]) -> str:
        formula, label = found[1], found[2]
        if not label:
            return found[0]
        known = self.names.targets.get(label)
        tag = rf" \tag{{{known.text.strip('()')}}}" if known else ""
        return f"{anchor(known.anchor if known else label)}\n\n{formula}{tag} $$"

    def _span(self, found: re.Match[str]) -> str:
        role = found["role"]
        said = self._role(role, " ".join(found["content"].split())) if role else None
        return found[0] if said is None else said

    def _role(self, role: str, content: str) -> str | None:
        given = TITLED.fullmatch(content)
        title, name = (given["title"], given["target"]) if given else ("", content)
        match role:
            case "glue:text" | "glue":
                page = self.names.pages.get(self.page)
                return page.values.get(name.partition(":")[0], f"`{name}`") if page else f"`{name}`"
            case "cite" | "cite:p" | "cite:t":
                return self._cited([key.strip() for key in content.split(",")], in_text=role == "cite:t")
            case "doc":
                target = posixpath.normpath(posixpath.join("/", posixpath.dirname(self.page), name)).lstrip("/")
                page = self.names.pages.get(target)
                return self._linked(title or (page.title if page else name), target, "")
            case "eq" | "numref" | "ref" | "prf:ref":
                known = self.names.targets.get(name)
                if known is None:
                    return title or (f"({name})" if role == "eq" else name)
                return self._linked(title or known.text or known.title, known.page, known.anchor)
        return None

    def _linked(self, text: str, page: str, name: str) -> str:
        address = self.link(page, name)
        return f"[{text}]({address})" if address else text

    def _cited(self, keys: list[str], *, in_text: bool) -> str:
        """As the pages cite: Author [year], or [Author, year]; a link to the source, if it has an address."""
        said = []
        for key in keys:
            one = self.names.sources.get(key) or Source(key, "", "")
            text = one.year if in_text else ", ".join(filter(None, (one.authors, one.year)))
            linked = f"[{text}]({one.url})" if one.url else text
            said.append((f"{one.authors} [{linked}]" if one.year else key) if in_text else linked)
        return ", ".join(said) if in_text else f"[{'; '.join(said)}]"

    def _fenced(self, source: str, mark: str, info: str, body: str) -> str:
        """A block between fences: a box, or what it was if it is none that is known."""
        found = DIRECTIVE.fullmatch(info.strip())
        if not found:
            return source
        name, argument = found["name"], found["argument"].strip()
        options, content = options_of(body)
        title = self._title(name, argument, options)
        if title is None:
            return source
        inner = self(content).strip("\n")
        if "dropdown" in options.get("class", "").split():
            return f"<details>\n<summary>{title}</summary>\n\n{inner}\n\n</details>"
        known = self.names.targets.get(options.get("label", ""))
        return quotation((anchor(known.anchor) if known else "") + f"**{title}**\n\n{inner}")

    def _title(self, name: str, argument: str, options: dict[str, str]) -> str | None:
        """What stands above a box; none for a directive that makes no box."""
        domain, _, kind = name.rpartition(":")
        if name == "admonition":
            return self.line(argument)
        if name in (
            "note",
            "tip",
            "hint",
            "warning",
            "important",
            "caution",
            "attention",
            "danger",
            "error",
            "seealso",
        ):
            return "See also" if name == "seealso" else name.capitalize()
        if name == "solution":
            known = self.names.targets.get(argument)
            behind = f" ({known.title})" if known and known.title else ""
            return f"Solution to {known.text}{behind}" if known else "Solution"
        if name == "exercise" or domain == "prf":
            known = self.names.targets.get(options.get("label", ""))
            text = known.text if known and known.text else (kind or name).capitalize()
            return f"{text} ({self.line(argument)})" if argument else text
        return None


def parts(text: str) -> Iterator[str | tuple[str, str, str, str]]:
    """The text, and its fenced blocks as (source, mark, what stands behind the mark, what stands within)."""
    lines, prose = text.split("\n"), []
    place = 0
    while place < len(lines):
        found = FENCE.fullmatch(lines[place])
        end = found and next(
            (k for k in range(place + 1, len(lines)) if closes(lines[k], found["mark"])),
            None,
        )
        if not (found and end):
            prose.append(lines[place])
            place += 1
            continue
        if prose:
            yield "\n".join(prose)
        prose = []
        source = "\n".join(lines[place : end + 1])
        yield source, found["mark"], found["info"], "\n".join(lines[place + 1 : end])
        place = end + 1
    if prose:
        yield "\n".join(prose)


def closes(line: str, mark: str) -> bool:
    """Whether a line closes the block that `mark` opened."""
    bare = line.strip()
    return len(bare) >= len(mark) and set(bare) == {mark[0]}


def options_of(body: str) -> tuple[dict[str, str], str]:
    """The options above a directive's content, `:key: value` one a line, and the content."""
    lines, found = body.split("\n"), {}
    while lines and (option := OPTION.fullmatch(lines[0])):
        found[option["key"]] = option["value"].strip()
        lines.pop(0)
    return found, "\n".join(lines)


def anchor(name: str) -> str:
    """What links within the notebook lead to."""
    return f'<a id="{name}"></a>'


def quotation(text: str) -> str:
    """A quotation; its formulas in one line each: notebooks would take the marks of its lines for a part of them."""
    whole = BROKEN.sub(lambda formula: " ".join(formula[0].split()), text)
    return "\n".join(f"> {line}".rstrip() for line in whole.split("\n"))
