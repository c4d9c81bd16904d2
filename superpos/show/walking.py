"""A run of a small residual network, layer by layer: what is read, answered and written, in numbers and sentences.

`superpos.show.mechanism` draws the steps. Chapters 4 to 7.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from superpos.circuits import ResidualCircuits
from superpos.residual import ResidualLayer, ResidualNetwork

Part = Literal["reads", "neurons", "writes"]
PARTS = ("reads", "neurons", "writes")
QUIET = 0.005  # what is written as 0.00
_MOST = 5  # circuits, and neurons, of one picture


@dataclass(frozen=True, eq=False)
class Step:
    """A layer of a run up to one of its three parts: reads, neurons, writes.

    Attributes:
        layer: from 0; after the last layer there is one more step, in which its result is read.
        part: how far it has come; what comes after is not drawn.
        said: what just happened, a sentence.
        active: which circuits are.
        holds: what each circuit's state should be: 0 for an inactive one.
        reads: E_tᵀX, what each circuit reads.
        w_in, w_out: the circuits' weights in this layer.
        carriers: the large neurons of each circuit.
        given: pre-activations of the large neurons, without the threshold.
        neurons: their answers, ReLU(given − θ).
        writes: w_out times the average over copies.
        should: what each circuit would write if it ran alone; 0 for an inactive one.
        heard: mean square of what inactive circuits read, before each layer so far.
    """

    layer: int
    part: Part
    said: str
    active: Sequence[int]
    holds: Float[Tensor, " T"]
    reads: Float[Tensor, " T"]
    w_in: Float[Tensor, " T"]
    w_out: Float[Tensor, " T"]
    carriers: Int64[Tensor, "T S"]
    given: Float[Tensor, " M"]
    neurons: Float[Tensor, " M"]
    writes: Float[Tensor, " T"]
    should: Float[Tensor, " T"]
    heard: Sequence[float]

    @property
    def silent(self) -> list[int]:
        """The inactive circuits."""
        return [t for t in range(len(self.reads)) if t not in self.active]

    @property
    def title(self) -> str:
        """layer 2: writes."""
        return f"layer {self.layer + 1}: {self.part}"

    @property
    def words(self) -> str:
        """The sentence and the numbers drawn, for those who do not see the picture."""
        told = [f"Circuits read {_list(self.reads)}"]
        told += [f"neurons answer {_list(self.neurons)}"] if self.part != "reads" else []
        told += [f"circuits write {_list(self.writes)}, should write {_list(self.should)}"] * (self.part == "writes")
        return f"{_capital(self.title)}. {self.said} {'; '.join(told)}."


def walk(network: ResidualNetwork, circuits: ResidualCircuits, active: Sequence[int], inputs: Tensor) -> list[Step]:
    """The steps of one sample: reads, neurons and writes of each layer, and what is read in the end.

    Args:
        network: the circuits, embedded.
        circuits: the same, with d = m = 1, at most 5.
        active: those that run.
        inputs: their states at first, (len(active),).

    Raises:
        ValueError: for other circuits, or for more of them or of neurons than fit into a picture.
    """
    if (circuits.d, circuits.m) != (1, 1) or network.indicator:
        raise ValueError(f"circuits have d = {circuits.d}, m = {circuits.m}; drawn are d = m = 1 without on-indicators")
    if max(circuits.T, network.M) > _MOST:
        raise ValueError(f"{circuits.T} circuits on {network.M} neurons; at most {_MOST} of each fit into a picture")
    return list(_steps(network, circuits, list(active), inputs))


def _steps(network: ResidualNetwork, circuits: ResidualCircuits, active: list[int], inputs: Tensor) -> Iterator[Step]:
    index, T = torch.tensor([active], dtype=torch.long), circuits.T
    none, heard = inputs.new_zeros(T), list[float]()
    if active:
        alone = circuits.run(index, inputs.view(1, -1, 1))[:, 0, :, 0]
        X = network.encode(index, inputs.view(1, -1, 1))
    else:
        alone, X = none.new_zeros(circuits.L + 1, 0), none.new_zeros(1, network.E.shape[1])
    silent = [t for t in range(T) if t not in active]
    for l in range(circuits.L + 1):
        last, k = l == circuits.L, min(l, circuits.L - 1)
        reads, holds = network.read_all(X, l)[0, :, 0], none.index_copy(0, index[0], alone[l])
        heard = [*heard, *([reads[silent].square().mean().item()] if silent else [])]
        layer, carriers = network.layers[k], network.neurons[k][:, 0]
        assert isinstance(layer, ResidualLayer)
        given = layer.pre_activations(X)[0] - layer.b
        neurons = layer.neurons(X)
        w_in, w_out = circuits.w_in[k, :, 0, 0], circuits.w_out[k, :, 0, 0]
        writes = w_out * neurons[0][carriers].mean(dim=1)
        should = none if last else none.index_copy(0, index[0], alone[l + 1] - alone[l])
        parts: Sequence[Part] = ("reads",) if last else ("reads", "neurons", "writes")
        for part in parts:
            step = Step(
                l, part, "", active, holds, reads, w_in, w_out, carriers, given, neurons[0], writes, should, heard
            )
            yield replace(step, said=_said(step))
        X = layer.write(X, neurons)


def _said(step: Step) -> str:
    """The sentence about a step."""
    silent = step.silent
    loud = [t for t in silent if step.neurons[step.carriers[t]].max() > QUIET]
    if step.part == "neurons":
        start = "A neuron answers with the positive part of what it is given."
        they = "it" if len(loud) == 1 else "they"
        return f"{start} {_capital(_do(loud, 'answer'))}, although {they} should be silent." if loud else start
    if step.part == "writes":
        wrong = f" {_capital(_do(loud, 'write'))} {_list(step.writes[loud])} in place of 0." if loud else ""
        return f"Answers are averaged over copies, weighted and written back.{wrong}"
    if step.layer > 0:
        wrong = [t for t in step.active if abs(step.reads[t] - step.holds[t]) > QUIET]
        told = [f"circuit {t + 1} reads {text(step.reads[t])}, not {text(step.holds[t])}" for t in wrong]
        told += [f"{_do(silent, 'read')} {_list(step.reads[silent])}"] if silent else []
        before, now = step.heard[-2:] if silent else (0.0, 0.0)
        ratio = f", {now / before:.1f} times the mean square of a layer ago" if before > QUIET**2 else ""
        return f"All that was written is read again: {'; '.join(told) or 'everybody reads what it should'}{ratio}."
    holds = " and ".join(f"circuit {t + 1} holds {text(step.holds[t])}" for t in step.active) or "nobody is active"
    if not silent:
        return f"{_capital(holds)}; they read {_list(step.reads)}."
    if step.heard[-1] < QUIET**2:
        return f"{_capital(holds)}; {_do(silent, 'hold and read', 'holds and reads')} nothing."
    shadow = f"0, but each reads a part of the active one, {_list(step.reads[silent])}"
    return f"{_capital(holds)}; {_do(silent, 'should read', 'should read')} {shadow}."


def _do(circuits: Sequence[int], verb: str, third: str = "") -> str:
    """circuit 2 reads; circuits 2 and 3 read."""
    *some, last = [str(t + 1) for t in circuits]
    return f"circuits {', '.join(some)} and {last} {verb}" if some else f"circuit {last} {third or verb + 's'}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _list(values: Tensor) -> str:
    return ", ".join(text(value) for value in values.tolist())


def text(value: Tensor | float) -> str:
    """Two decimals, or two digits where it is large."""
    value = float(value)
    if abs(value) < QUIET:
        return "0"
    return (f"{value:.2f}" if abs(value) < 9.95 else f"{value:,.0f}").replace("-", "−")
