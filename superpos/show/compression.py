"""Pictures of a compressed network: who owns which weight, and its certificate."""

import torch
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from superpos.compression import Certificate, Compressed
from superpos.show.data import Drawn, note_matrix
from superpos.show.figures import pair
from superpos.show.lanes import OWNERS
from superpos.show.series import BLACK, both, line

_NAMED = 40  # with more modules, no numbers are written


def owners(network: Compressed, l: int, *, height: float = 5.2) -> Figure:
    """The weights of layer l, each in the colour of the module that owns it; white: gates and zeros."""
    own = network.owners(l).cpu()
    figure = Drawn(figsize=(6.2, height), layout="constrained")
    ax = figure.subplots()
    shown = own.where(own < 0, own % len(OWNERS)).clamp_min(-1)
    several = own == -2
    shown = shown.where(~several, len(OWNERS))
    colours = ListedColormap(["white", *OWNERS, BLACK])
    ax.imshow((shown + 1).numpy(), cmap=colours, vmin=0, vmax=len(OWNERS) + 1, interpolation="nearest")
    note_matrix(ax, own, "module that owns the weight (−1: nobody, −2: several)")
    for t in range(network.T if network.T <= _NAMED else 0):
        rows, columns = (own == t).nonzero(as_tuple=True)
        if len(rows):
            at = (columns.float().mean().item(), rows.float().mean().item())
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none"}
            ax.annotate(network.name(t), at, ha="center", va="center", fontsize=9, bbox=box)
    ax.set(xlabel="from neuron", ylabel="to neuron")
    ax.grid(False)
    return figure


def certificate(certificate: Certificate, *, height: float = 3.4) -> Figure:
    """Left, the error after each layer, found and expected; right, of each module, the worst first."""
    layers = torch.arange(1, len(certificate.measured) + 1)
    found = [layer.relative for layer in certificate.measured]
    left = [both("found", layers, found)]
    if certificate.expected is not None:
        left.append(line("expected", layers, certificate.expected))
    errors = sorted((m.relative for m in certificate.modules if 0 < m.relative < torch.inf), reverse=True)
    right = [line("", torch.arange(1, len(errors) + 1), errors)]
    figure = pair(
        left,
        right,
        ("layer", "modules, the worst first"),
        ("squared error / squared signal", ""),
        ("after each layer", "outputs of each module"),
        log="y",
        height=height,
    )
    shown = [y for y in (*found, *(certificate.expected or ())) if 0 < y < torch.inf]
    if shown:  # two decades at least: rounding that differs by a few percent is no story
        figure.axes[0].set_ylim(min(shown) / 10, max(shown) * 10)
    figure.axes[1].xaxis.set_major_locator(MaxNLocator(4, integer=True))
    return figure
