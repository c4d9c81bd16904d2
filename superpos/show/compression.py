"""The picture of a compressed network: who owns which weight."""

from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from superpos.compression import Compressed
from superpos.show.data import Drawn, note_matrix
from superpos.show.lanes import OWNERS
from superpos.show.series import BLACK
from superpos.show.sheet import drawing, sheet

_NAMED = 40  # with more modules, no numbers are written


@drawing
def owners(network: Compressed, l: int, *, height: float = 4.7) -> Figure:
    """The weights of layer l, each in the colour of the module that owns it; white: gates and zeros."""
    own = network.owners(l).cpu()
    figure = Drawn(figsize=(sheet().width, sheet().tall * height), layout="constrained")
    ax = figure.subplots()
    shown = own.where(own < 0, own % len(OWNERS)).clamp_min(-1)
    several = own == -2
    shown = shown.where(~several, len(OWNERS))
    colours = ListedColormap(["none", *OWNERS, BLACK])  # nobody's are left as the page is
    ax.imshow((shown + 1).numpy(), cmap=colours, vmin=0, vmax=len(OWNERS) + 1, interpolation="nearest")
    note_matrix(ax, own, "module that owns the weight (−1: nobody, −2: several)")
    for t in range(network.T if network.T <= _NAMED else 0):
        rows, columns = (own == t).nonzero(as_tuple=True)
        if len(rows):
            at = (columns.float().mean().item(), rows.float().mean().item())
            box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none"}
            ax.annotate(network.name(t), at, ha="center", va="center", fontsize=sheet().text, bbox=box)
    ax.set(xlabel="from neuron", ylabel="to neuron")
    ax.grid(False)
    return figure
