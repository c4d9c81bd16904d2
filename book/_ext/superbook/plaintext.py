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
    "mid": "|", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "hat": "", "left": "", "right": "",
}  # fmt: skip
RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
FONTS = re.compile(r"\\(?:mathbb|mathrm|mathcal|mathbf|mathit|text|operatorname)\s*\{([^{}]*)\}")
FRACTION = re.compile(r"\\[dt]?frac\s*(?:\{([^{}]*)\}|(\w))\s*(?:\{([^{}]*)\}|(\w))")
COMMAND = re.compile(r"\\([A-Za-z]+)\s*")
POWER = re.compile(r"\^(?:\{([^{}]*)\}|(.))")
INDEX = re.compile(r"_(?:\{([^{}]*)\}|(.))")


def plain(tex: str) -> str:
    """One line of text for a short formula: `W^\\top W` is WᵀW, `|x|^2` is |x|². A command that is unknown stays."""
    text = FONTS.sub(r"\1", tex)
    text = FRACTION.sub(lambda m: f"{m[1] or m[2]}/{m[3] or m[4]}", text)
    text = re.sub(r"\\([,;:! ])", lambda m: "" if m[1] == "!" else " ", text).replace(r"\%", "%").replace(r"\|", "‖")
    text = COMMAND.sub(lambda m: SYMBOLS.get(m[1], m[0]), text)
    text = POWER.sub(lambda m: _script(m[1] or m[2], RAISED, "^"), text)
    text = INDEX.sub(lambda m: _script(m[1] or m[2], LOWERED, "_"), text)
    return " ".join(text.replace("{", "").replace("}", "").split())


def _script(inner: str, letters: dict[int, int], mark: str) -> str:
    if inner in "*ᵀ′":
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
