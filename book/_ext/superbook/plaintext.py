"""The mathematics of a caption as plain text, for places that cannot set it: titles, entries, pages to embed."""

import copy
import re

from bs4 import Tag

SYMBOLS = {
    "top": "ᵀ", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "varepsilon": "ε", "epsilon": "ε", "theta": "θ",
    "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ",
    "omega": "ω", "Delta": "Δ", "Sigma": "Σ", "Phi": "Φ", "Omega": "Ω", "times": "×", "cdot": "·", "pm": "±",
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "approx": "≈", "neq": "≠", "ne": "≠", "sim": "~",
    "ll": "≪", "gg": "≫",
    "to": "→", "in": "∈", "sum": "∑", "sqrt": "√", "infty": "∞", "ldots": "…", "dots": "…", "wedge": "∧", "quad": " ",
    "Gamma": "Γ", "Theta": "Θ", "Lambda": "Λ", "Pi": "Π", "Psi": "Ψ", "zeta": "ζ", "eta": "η", "iota": "ι",
    "kappa": "κ", "nu": "ν", "xi": "ξ", "varphi": "φ", "varrho": "ρ", "vartheta": "θ", "upsilon": "υ",
    "ln": "ln ", "log": "log ", "exp": "exp ", "max": "max ", "min": "min ", "leftarrow": "←", "mapsto": "↦",
    "otimes": "⊗", "propto": "∝", "notin": "∉", "big": "", "Big": "", "bigl": "", "bigr": "", "bar": "", "tilde": "",
    "underbrace": "", "qquad": " ", "langle": "⟨", "rangle": "⟩", "lvert": "|", "rvert": "|", "lVert": "‖",
    "rVert": "‖", "mid": "|", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
    "hat": "", "left": "", "right": "",
}  # fmt: skip
RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
FONTS = re.compile(r"\\(?:mathbb|mathrm|mathcal|mathbf|mathit|text|operatorname)\s*(?:\{([^{}]*)\}|(\w))")
FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))")
ROOT = re.compile(r"√\s*\{([^{}]*)\}")
COMMAND = re.compile(r"\\([A-Za-z]+)\s*")
RELATION = re.compile(r"\s*([≤≥≈≠≪≫∈∉∝])\s*")
UNEVEN = re.compile(r"(?<=[\w)])([=<>+-]) ")  # a command took the space before it
POWER = re.compile(r"\^(?:\{([^{}]*)\}|([^{(]))")
INDEX = re.compile(r"_(?:\{([^{}]*)\}|([^{(]))")


def plain(tex: str) -> str:
    """One line of text for a short formula: `W^\\top W` is WᵀW, `|x|^2` is |x|². A command that is unknown stays."""
    text = COMMAND.sub(lambda m: SYMBOLS.get(m[1], m[0]), tex)  # first: what follows a name would else run into it
    text = re.sub(r"\\([,;:! ])", lambda m: "" if m[1] == "!" else " ", text).replace(r"\%", "%").replace(r"\|", "‖")
    before = ""
    while text != before:  # from the inside out
        before, text = text, _step(text)
    text = UNEVEN.sub(r" \1 ", RELATION.sub(r" \1 ", text.replace("{", "").replace("}", "")))
    return " ".join(text.split())


def _step(text: str) -> str:
    """The innermost braces read."""
    text = FONTS.sub(lambda m: m[1] or m[2] or "", text)
    text = POWER.sub(lambda m: _script(m[1] or m[2] or "", RAISED, "^"), text)
    text = INDEX.sub(lambda m: _script(m[1] or m[2] or "", LOWERED, "_"), text)
    text = ROOT.sub(lambda m: f"√({m[1]})" if len(m[1]) > 1 else f"√{m[1]}", text)
    return FRACTION.sub(lambda m: f"{_part(m[1] or m[2])}/{_part(m[3] or m[4])}", text)


def _part(inner: str) -> str:
    """What stands above or below a bar, in brackets if it is a sum."""
    return f"({inner})" if re.search(r"(?<=\S)\s*[+−-]", inner) else inner


def _script(inner: str, letters: dict[int, int], mark: str) -> str:
    if inner in ("", "*", "ᵀ", "′"):
        return inner
    raised = inner.translate(letters)
    return raised if not set(raised) & set(inner) else f"{mark}{inner}" if len(inner) == 1 else f"{mark}({inner})"


def text_of(element: Tag) -> str:
    """All that an element says, in one line, its formulas as plain text."""
    one = copy.copy(element)
    for formula in one.select(".katex"):
        tex = formula.select_one("annotation")  # KaTeX keeps what it was given
        assert tex
        formula.replace_with(plain(tex.get_text()))
    for mark in one.select(".headerlink"):
        mark.decompose()
    return " ".join(one.get_text().split())
