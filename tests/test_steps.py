"""A run that can be stepped through: its numbers are the layers' own, its circuits and sentences are true of them."""

import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.text import Text

from superpos import circuits, exact
from superpos.show import steps
from superpos.show.data import Drawn
from superpos.show.lanes import OWNERS
from superpos.show.sheet import NARROW, SHEETS, on

REACH = 1 / 1.01  # inputs are raised by 1, with the slack of the gates


def nine(z=2, **asked):
    """Circuit t of nine: a ← ReLU(t/2 · a + 1), two layers."""
    w = torch.arange(9.0).view(1, 9, 1, 1).expand(2, -1, -1, -1) / 2
    return exact.embed(circuits.MLPCircuits(w, torch.ones(2, 9, 1)), z=z, bound=21.0, reach=REACH, **asked)


@pytest.fixture(scope="module")
def tie():
    return steps.walk(nine(), [1, 8], torch.tensor([[0.5], [-0.2]]))


def others():
    """Networks of other shapes: several coordinates taken out by and by, no constant, a third place, T not a square."""
    yield exact.embed(circuits.random_mlps(30, 4, 2, seed=0), z=3, bound=200.0), 4
    yield exact.embed(circuits.random_mlps(12, 2, 1, seed=0), z=2, bound=20.0, nonnegative=True), 2


@pytest.mark.parametrize("k", range(2))
def test_every_neuron_is_shown_with_its_number(k):
    network, d = list(others())[k]
    active, x = torch.tensor([[3, 7, 11][: network.plan.z]]), circuits.sphere(1, network.plan.z, d, seed=0).abs()
    A, shown = network.encode(active, x), steps.walk(network, active[0].tolist(), x[0])
    assert len(shown) == len(network.layers) + 1
    for step, layer in zip(shown, [None, *network.layers], strict=True):
        A = A if layer is None else layer(A)
        assert step.title == ("entry" if layer is None else layer.title)
        values = torch.cat([row.values.flatten() for row in step.rows])
        assert values.sort().values.tolist() == A[0].sort().values.tolist()
        steps.picture(step)


def test_rows_stand_in_columns_places_and_lanes(tie):
    """Circuit t = t_0 + 3 t_1 is on slot t_0 of column 1 and t_0 + t_1 of column 2: 1 on 1, 1; 8 = 2 + 3·2 on 2, 1."""
    entry = {row.name: row.values.tolist() for row in tie[0].rows}
    assert entry["key"] == [[0, 10, 17], [0, 27, 0]]
    assert entry["state"] == [[0, 1.5, pytest.approx(0.8)], [0, pytest.approx(2.3), 0]]
    assert tie[0].slots == [[], [1], [8], [], [1, 8], []]
    stairs = next(step for step in tie if step.title == "stairs i")
    assert stairs.places == [[1], [8]]
    assert {row.name: row.values.tolist() for row in stairs.rows}["number"] == [[1], [8]]


def test_it_ends_with_the_answers(tie):
    """1: 0.5 → 0.25 + 1 = 1.25 → 0.625 + 1 = 1.625, on slot 0; 8: −0.2 → −0.8 + 1 = 0.2 → 0.8 + 1 = 1.8, on slot 2."""
    (state,) = [row.values for row in tie[-1].rows if row.name == "state"]
    assert torch.allclose(state, torch.tensor([[1.625, 0, 0], [0, 0, 1.8]]))
    assert "1 from slot 1 to 0 and 8 from slot 2 to 2" in tie[-1].said


def test_sentences_tell_ties_and_who_is_left_out(tie):
    said = {step.title: step.said for step in tie}
    assert said["ties"] == "A key of 18 or more is a sum: a tie of 1 and 8."
    assert "circuit 8" in said["mark 2"]
    none = {step.title: step.said for step in steps.walk(nine(), [1, 5], torch.tensor([[0.5], [0.2]]))}
    assert "no two meet" in none["entry"]
    assert "there is none" in none["ties"]
    one = {step.title: step.said for step in steps.walk(nine(), [8], torch.tensor([[0.5]]))}
    assert one["mark 2"] == "No circuit is left to be taken out."


def test_lanes_are_those_that_the_network_says():
    """1 ties with 4 in column 1 and with 8 in column 2: it has no lane, and whoever has one is live."""
    network, x = nine(), torch.tensor([[0.5], [-0.2], [0.3]])
    for active in ([1, 4, 8], [0, 4, 8], [2, 5, 8], [0, 1, 2]):
        shown, ts = steps.walk(network, active, x), torch.tensor([active])
        live = network.run_layers(ts, x[None]).live[0].tolist()
        assert sorted(t for own in shown[-1].places for t in own) == [
            t for t, on in zip(active, live, strict=True) if on
        ]
    places = next(step for step in steps.walk(network, [1, 4, 8], x) if step.title == "places")
    assert places.said.endswith("1 was never alone: no lane.")


@pytest.mark.parametrize("sheet", SHEETS, ids=[sheet.name for sheet in SHEETS])
def test_a_picture_shows_and_notes_the_numbers(tie, sheet):
    for step in tie:
        with on(sheet):
            figure = steps.picture(step)
        assert isinstance(figure, Drawn)
        (panel,) = figure.record()["panels"]
        noted = [value for series in panel["series"] for value in series["columns"][1]["values"]]
        assert noted == pytest.approx([v for row in step.rows for v in row.values.flatten().tolist()], rel=1e-5)
        assert panel["title"].split() == f"{step.title} {step.said}".split()
        figure.draw_without_rendering()
        room = figure.bbox
        (ax,) = figure.axes
        for text in [one for one in ax.findobj(Text) if isinstance(one, Text) and one.get_text() and one.get_visible()]:
            box = text.get_window_extent()
            assert room.x0 <= box.x0 <= box.x1 <= room.x1, text.get_text()
            assert room.y0 <= box.y0 <= box.y1 <= room.y1, text.get_text()
            shown = 345 if sheet is NARROW else 518  # pixels of the figure in a window of 360, or on a wide page
            assert float(text.get_fontsize()) / 72 / figure.get_size_inches()[0] * shown >= 11


def test_colours_are_those_of_the_circuits(tie):
    """As in the chapter's first figure; a sum of several is grey, a zero or a number of nobody white."""

    def faces(step):
        (ax,) = steps.picture(step).axes
        return {to_hex(patch.get_facecolor()) for patch in ax.patches}

    one, eight = OWNERS[1].lower(), OWNERS[8].lower()
    assert faces(tie[0]) == {"#ffffff", "#dddddd", one, eight}
    assert faces(tie[2]) == {"#ffffff", one, eight}
    assert [
        text.get_text() for text in steps.picture(tie[0]).axes[0].texts if text.get_text() in ("1", "8", "1+8")
    ] == [*("1", "8", "1+8")]


def test_what_cannot_be_stepped_through_is_refused():
    with pytest.raises(ValueError, match="z = 1, lanes = 1; steps are drawn for z ≥ 2, lanes = z"):
        steps.walk(nine(z=1), [1], torch.tensor([[0.5]]))
    with pytest.raises(ValueError, match="z = 2, lanes = 1"):
        steps.walk(nine(lanes=1), [1], torch.tensor([[0.5]]))
