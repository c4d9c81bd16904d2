r"""Titles as LaTeX reads them: formulas as they were written, other signs by their commands, capitals in braces.

A title may be set in small letters by a style; what stands in braces is not: names, symbols, formulas.
"""

import codecs
import copy
import re

import latexcodec as _  # noqa: F401  (it registers the codec)
from bs4 import Tag
from docutils import nodes
from sphinx.errors import ExtensionError

from .plaintext import LOWERED, RAISED, SYMBOLS

SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
SPECIAL |= {"\\": r"\textbackslash{}"}
WORDS = {"quad", "left", "right", "hat", "dots", "sqrt", "sim"}  # no sign, or one that has another name here
SIGNS = {sign: rf"\{name}" for name, sign in reversed(SYMBOLS.items()) if name not in WORDS and not sign.isascii()}
SIGNS |= {"√": r"\surd", "ᵀ": r"^\top", "⟨": r"\langle", "⟩": r"\rangle", "−": "-", "‖": r"\|", "′": "'"}
SIGNS |= {sign: sign for sign in "|<>="}  # an old text font has other signs in their places
SIGNS |= {chr(to): f"^{chr(sign)}" for sign, to in RAISED.items()}
SIGNS |= {chr(to): f"_{chr(sign)}" for sign, to in LOWERED.items()}
SIGNED = re.compile(rf"\w*[{re.escape(''.join(SIGNS))}][\w{re.escape(''.join(SIGNS))}]*")
SCRIPTS = re.compile(r"(?:([_^])[\d+-]){2,}")
TEXT_IN_MATHS = re.compile(r"\\text(?=\{)")
FRACTION = re.compile(r"\\[dt]frac(?![A-Za-z])")
TOKENS = re.compile(r"[^\s$]*\$(?:\\.|[^$\\])*\$[^\s$]*|\S+")
BARE = re.compile(r"^(\(?)(.*?)([.,;:?!)]*)$")
FORMULA = re.compile(r"(?<!\\)\$(?:\\.|[^$\\])*\$")


def escaped(text: str) -> str:
    """Text as LaTeX, in ASCII alone; a sign that has no command is an error."""
    parts, at = [], 0
    for found in SIGNED.finditer(text):
        parts += [_letters(text[at : found.start()]), _formula(found[0])]
        at = found.end()
    return "".join([*parts, _letters(text[at:])])


def _letters(text: str) -> str:
    return "".join(SPECIAL.get(sign) or _letter(sign) for sign in text)


def _letter(sign: str) -> str:
    if sign.isascii():
        return sign
    try:
        written = str(codecs.encode(sign, "ulatex"))
    except ValueError:
        raise ExtensionError(f"no LaTeX is known for {sign!r} (U+{ord(sign):04X}); write it as a formula") from None
    return f"{{{written}}}" if written.startswith("\\") else written


def _formula(signs: str) -> str:
    """Letters and signs of one word: T² is $T^2$, 10⁻⁷ is $10^{-7}$."""
    commands = (SIGNS.get(sign, sign) for sign in signs)
    tex = "".join(f"{one} " if re.search(r"\\[a-z]+$", one, re.IGNORECASE) else one for one in commands).strip()
    return f"${SCRIPTS.sub(_joined, tex)}$"


def _joined(found: re.Match[str]) -> str:
    return f"{found[1]}{{{re.sub('[_^]', '', found[0])}}}"


def plainly(tex: str) -> str:
    """A formula in one line, in commands that need no package."""
    return " ".join(FRACTION.sub(r"\\frac", TEXT_IN_MATHS.sub(r"\\mathrm", tex)).split())


def of(element: Tag) -> str:
    """All that an element says, in one line of LaTeX; its formulas are those that were written."""
    one, formulas = copy.copy(element), []
    for mark in one.select(".headerlink"):
        mark.decompose()
    for formula in one.select(".katex"):
        tex = formula.select_one("annotation")  # KaTeX keeps what it was given
        assert tex
        formulas.append(f"${plainly(tex.get_text())}$")
        formula.replace_with("\x00")
    said, *rest = (escaped(part) for part in " ".join(one.get_text().split()).split("\x00"))
    return said + "".join(formula + text for formula, text in zip(formulas, rest, strict=True))


def of_title(title: nodes.title) -> str:
    """The same of a page's title."""
    parts = (part for part in title.findall() if isinstance(part, nodes.Text))
    return "".join(f"${plainly(p)}$" if isinstance(p.parent, nodes.math) else escaped(p.astext()) for p in parts)


def protected(title: str) -> str:
    """The title with braces around what keeps its capitals; the first word after the start or a colon keeps its own."""
    words, first = [], True
    for word in TOKENS.findall(title):
        keeps = FORMULA.search(word) or any(map(str.isupper, word[first:])) or re.fullmatch(r"(?![AI])[A-Z]\W?", word)
        words.append(BARE.sub(r"\1{\2}\3", word, count=1) if keeps else word)
        first = word.endswith(":")
    return " ".join(words)
