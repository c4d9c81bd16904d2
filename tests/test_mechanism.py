"""The mechanism drawn: its numbers are the network's own, its sentences are true of them."""

from itertools import combinations, pairwise

import pytest
import torch
from lettering import faults, letters
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from superpos import circuits, residual
from superpos.show import figures, mechanism
from superpos.show.data import Drawn, svg
from superpos.show.sheet import NARROW, SHEETS, on
from superpos.show.vector import compact

figures.style()


def one_layer(w_in, w_out, neurons, M, theta=0.0):
    """Circuits with orthogonal places, on the neurons that are given: hand-sized."""
    T = len(w_in)
    small = circuits.ResidualCircuits(
        torch.tensor(w_in).view(1, T, 1, 1), torch.tensor(w_out).view(1, T, 1, 1), torch.full((1, T, 1), -theta)
    )
    E, n = torch.eye(T).view(T, T, 1), torch.tensor(neurons).view(1, T, 1, -1)
    W_in = residual.writing_to_neurons(E, small.w_in[0], n[0], M)
    W_out = residual.writing_back(E, small.w_out[0], n[0], M)
    layer = residual.ResidualLayer(W_in, torch.full((M,), -theta), W_out.mT)
    return residual.ResidualNetwork(1, E, n, [layer]), small


@pytest.fixture(scope="module")
def loop():
    """Four circuits where three have room, three layers: the one of chapter 7, and its steps."""
    four = circuits.random_residual(4, 1, 1, 3, seed=127)
    network = residual.embed(four, D=3, M=4, S=2, seed=127)
    return network, four, mechanism.walk(network, four, [0], torch.tensor([1.0]))


HAS = {"reads": "reads", "neurons": "answers", "arrow": "weight", "term": "inches from the top"}  # a column


def told(figure, kind):
    assert isinstance(figure, Drawn)
    """The columns of what was noted of a kind, by their names, with its label."""
    return [
        {"label": one["label"], **{column["name"]: column["values"] for column in one["columns"]}}
        for panel in figure.record()["panels"]
        for one in panel["series"]
        if HAS[kind] in {column["name"] for column in one["columns"]}
    ]


def test_steps_are_the_networks(loop):
    network, four, steps = loop
    run = network.run(torch.tensor([[0]]), torch.ones(1, 1, 1))
    assert [step.title for step in steps[:4]] == [
        "layer 1: reads", "layer 1: neurons", "layer 1: writes", "layer 2: reads",
    ]  # fmt: skip
    read = [step for step in steps if step.part == "reads"]
    assert [step.reads[0].item() for step in read] == pytest.approx(run.estimates[:, 0, 0, 0].tolist(), abs=1e-6)
    alone = four.run(torch.tensor([[0]]), torch.ones(1, 1, 1))[:, 0, 0, 0]
    assert [step.holds[0].item() for step in read] == alone.tolist()
    for before, after in pairwise(read):
        # what stands in the stream afterwards is what stood there, and what all circuits have written
        gram = network.E[..., 0] @ network.E[..., 0].mT
        written = next(s for s in steps if s.layer == before.layer and s.part == "writes").writes
        assert after.reads.tolist() == pytest.approx((before.reads + gram @ written).tolist(), abs=1e-5)
    silent = torch.stack([step.reads[1:].square().mean() for step in read]).tolist()
    assert read[-1].heard == pytest.approx(silent)
    assert silent == sorted(silent)  # they write more in each layer


def test_numbers_drawn_are_those_of_the_step(loop):
    network, four, steps = loop
    for step in steps[2:5]:
        figure = mechanism.picture(step)
        [reads] = told(figure, "reads")
        assert reads["reads"] == pytest.approx(step.reads.tolist(), rel=1e-5)
        if step.part == "reads":
            assert not told(figure, "neurons")
            continue
        [neurons] = told(figure, "neurons")
        assert neurons["answers"] == pytest.approx(step.neurons.tolist(), rel=1e-5)
        weights = {one["label"]: one["weight"][0] for one in told(figure, "arrow")}
        for t in range(4):
            for n in network.neurons[step.layer, t, 0].tolist():
                w = four.w_in[step.layer, t, 0, 0].item()
                assert weights[f"circuit {t + 1} to neuron {n + 1}"] == pytest.approx(w, rel=1e-5)
                if step.part == "writes":
                    w = four.w_out[step.layer, t, 0, 0].item() / 2
                    assert weights[f"neuron {n + 1} to circuit {t + 1}"] == pytest.approx(w, rel=1e-5)


@pytest.mark.parametrize(
    ("neurons", "M", "active", "x", "given", "writes"),
    [
        # one neuron for both: ReLU(0.8), which both take for theirs, 1 and 0.5 of it
        ([0, 0], 1, [0], [0.8], [0.8], [0.8, 0.4]),
        # ReLU(0.8 − 0.5) = 0.3, where 0.8 and ReLU(−0.5) = 0 are wanted
        ([0, 0], 1, [0, 1], [0.8, 0.5], [0.3], [0.3, 0.15]),
        # two copies each, one neuron in common: (0.8 + 0.3)/2 = 0.55, and half of (0.3 + 0)/2 = 0.075
        ([[0, 1], [1, 2]], 3, [0, 1], [0.8, 0.5], [0.8, 0.3, -0.5], [0.55, 0.075]),
        ([[0, 1], [1, 2]], 3, [], [], [0.0, 0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_by_hand(neurons, M, active, x, given, writes):
    network, small = one_layer([1.0, -1.0], [1.0, 0.5], neurons, M)
    step = mechanism.walk(network, small, active, torch.tensor(x))[2]
    assert step.given.tolist() == pytest.approx(given)
    assert step.neurons.tolist() == pytest.approx([max(0, p) for p in given])
    assert step.writes.tolist() == pytest.approx(writes)
    # alone, circuit 1 writes 1 · ReLU(0.8), circuit 2 writes 0.5 · ReLU(−0.5)
    assert step.should.tolist() == pytest.approx([0.8 if 0 in active else 0, 0])


def test_a_threshold_is_taken_off_before_the_answer():
    network, small = one_layer([1.0], [1.0], [0], 1, theta=0.5)
    step = mechanism.walk(network, small, [0], torch.tensor([0.8]))[2]
    assert step.given.tolist() == pytest.approx([0.8])
    assert step.neurons.tolist() == pytest.approx([0.3])


def test_sentences_are_true():
    network, small = one_layer([1.0, -1.0], [1.0, 0.5], [0, 0], 1)
    said = [step.said for step in mechanism.walk(network, small, [0], torch.tensor([0.8]))]
    assert said[0] == "Circuit 1 holds 0.80; circuit 2 holds and reads nothing."
    assert said[1].endswith("Circuit 2 answers, although it should be silent.")
    assert said[2].endswith("Circuit 2 writes 0.40 in place of 0.")
    assert said[3] == "All that was written is read again: circuit 2 reads 0.40."
    none = [step.said for step in mechanism.walk(network, small, [], torch.tensor([]))]
    assert none[0] == "Nobody is active; circuits 1 and 2 hold and read nothing."
    both = [step.said for step in mechanism.walk(network, small, [0, 1], torch.tensor([0.8, 0.5]))]
    assert both[0] == "Circuit 1 holds 0.80 and circuit 2 holds 0.50; they read 0.80, 0.50."
    # 0.8 + ReLU(0.8) = 1.6 and 0.5 + 0 are wanted
    assert both[3].endswith("circuit 1 reads 1.10, not 1.60; circuit 2 reads 0.65, not 0.50.")
    right = [step.said for step in mechanism.walk(network, small, [1], torch.tensor([0.5]))]
    assert right[3] == "All that was written is read again: circuit 1 reads 0."


def test_words_of_the_steps_differ_and_have_the_numbers(loop):
    *_, steps = loop
    assert len({step.words for step in steps}) == len(steps)
    last = steps[-1]
    assert f"{last.heard[-1] / last.heard[-2]:.1f} times the mean square of a layer ago" in last.words
    assert f"{last.reads[0]:.2f}" in last.words


@pytest.mark.parametrize("sheet", SHEETS, ids=[sheet.name for sheet in SHEETS])
def test_pictures_stand_still_and_can_be_read(loop, sheet):
    *_, steps = loop
    with on(sheet):
        drawn = [mechanism.picture(step) for step in (steps[0], *steps[4:6], steps[-1])]
    for figure in drawn:
        FigureCanvasAgg(figure).draw()
        assert not faults(*letters(compact(svg(figure))), sheet.name)
    assert len({(*figure.get_size_inches(), *figure.axes[0].bbox.bounds) for figure in drawn}) == 1


@pytest.mark.parametrize("sheet", SHEETS, ids=[sheet.name for sheet in SHEETS])
@pytest.mark.parametrize(("neurons", "M"), [([1, 1], 3), ([[0, 1], [1, 2]], 3)])
def test_numbers_on_arrows_lie_on_no_word(neurons, M, sheet):
    network, small = one_layer([1.0, -1.0], [1.0, 0.5], neurons, M)
    for active, x in (([0, 1], [0.8, 0.5]), ([1], [0.5])):
        step = mechanism.walk(network, small, active, torch.tensor(x))[2]
        with on(sheet):
            figure = mechanism.picture(step, finding="One answer goes to both")
        words = [text for text in figure.findobj(Text) if text.get_text()]
        assert len([word for word in words if word.get_text().startswith("×")]) == 4 * step.carriers.shape[1]
        assert not faults(*letters(compact(svg(figure))), sheet.name)


def test_what_cannot_be_drawn_is_refused():
    wide = circuits.random_residual(2, 2, 1, 1, seed=0)
    with pytest.raises(ValueError, match="d = 2, m = 1; drawn are d = m = 1"):
        mechanism.walk(residual.embed(wide, 4, 2, 1, seed=0), wide, [0], torch.ones(2))
    many = circuits.random_residual(6, 1, 1, 1, seed=0)
    with pytest.raises(ValueError, match="6 circuits on 6 neurons; at most 5"):
        mechanism.walk(residual.embed(many, 4, 6, 1, seed=0), many, [0], torch.ones(1))


def test_plane_shows_what_is_read():
    """Directions at a right angle and one half way: 1 stores 2, and 3 reads √2, the dot product."""
    half = 0.5**0.5
    E = torch.tensor([[1.0, 0.0], [0.0, 1.0], [half, half]])[..., None]
    figure = mechanism.plane(E, [0], torch.tensor([2.0]), "What circuit 1 stores is read by circuit 3")
    [reads] = told(figure, "reads")
    assert reads["stores"] == [2, 0, 0]
    assert reads["reads"] == pytest.approx([2, 0, 2 * half], rel=1e-5)
    said = [text.get_text() for text in figure.findobj(Text)]
    assert "1 stores 2.00\nreads 2.00" in said
    assert "3 stores 0\nreads 1.41, not 0" in said
    with on(NARROW):  # there the words stand below the plane, a line for each circuit
        figure = mechanism.plane(E, [0], torch.tensor([2.0]), "What circuit 1 stores is read by circuit 3")
    assert "3 stores 0, reads 1.41, not 0" in [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize("sheet", SHEETS, ids=[sheet.name for sheet in SHEETS])
def test_terms_stand_apart_and_where_they_enter(loop, sheet):
    *_, steps = loop
    with on(sheet):
        figure = mechanism.terms(steps[2], "An error enters a layer at five places")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    names = ("read-off", "read-in", "neuron", "own", "written back")
    words = [text for text in figure.findobj(Text) if text.get_text() in names]
    assert [one["label"] for one in told(figure, "term")] == list(names)
    boxes = [word.get_window_extent() for word in words]
    assert len(boxes) == 5
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    others = [text for text in figure.findobj(Text) if text.get_text() and text not in words]
    assert not [text for text in others for box in boxes if text.get_window_extent().overlaps(box)]
    with pytest.raises(ValueError, match="the step is 'layer 1: reads'"):
        mechanism.terms(steps[0], "An error enters a layer at five places")
