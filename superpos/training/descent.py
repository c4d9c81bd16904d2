"""Training: Adam at a constant rate on batches made on the fly, and from any step a fall to rest. Chapter 14."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from superpos.checks import check_count, check_seed
from superpos.circuits import MLPCircuits, ResidualCircuits
from superpos.sampling import generator
from superpos.tensors import digest
from superpos.training.network import TrainedNetwork
from superpos.training.options import Options, batch
from superpos.training.ports import encode, read

__all__ = ["State", "Training"]

Watch = Callable[[int, Float[Tensor, " R"]], bool | None]
_OFTEN = 100  # steps between two looks, and between two states that are kept
_FALL = 4  # a fall to rest takes a quarter of the steps before it
_WORST = 100  # the loss "worst" looks at one answer of so many
_SCALE = 4096  # samples from which the size of answers is known
_MOMENTS = "exp_avg", "exp_avg_sq"


@dataclass(frozen=True, eq=False)
class State:
    """All that a training needs to go on. Chapter 14.

    Attributes:
        tensors: the weights and the two moments of Adam, by name.
        done: how many steps were made.
        settings: of the training that it belongs to.
    """

    tensors: dict[str, Tensor]
    done: int
    settings: dict[str, Any]


class Training:
    """The training of R networks of one shape, each on circuits and with a seed of its own, side by side. Chapter 14.

    Every batch is drawn from its seed and the number of its step alone, so that a training which was stopped, and goes
    on, ends at the same weights.

    Args:
        networks: where they start; they stay as they are.
        circuits: those that each is to run.
        options: how it is done.
        seeds: of batches and noise, one for each network.

    Attributes:
        done: how many steps were made.
        learnt, fixed: the tensors that are trained, and those that are not, by name, stacked over the R networks.

    Raises:
        ValueError: if there are not as many circuits and seeds as networks, the networks are not of one shape, they do
            not carry the circuits, or there are fewer circuits than are to be active.
    """

    def __init__(
        self,
        networks: Sequence[TrainedNetwork],
        circuits: Sequence[MLPCircuits | ResidualCircuits],
        options: Options,
        seeds: Sequence[int],
    ) -> None:
        _check(networks, circuits, options, seeds)
        self.networks, self.circuits, self.options, self.seeds = networks, tuple(circuits), options, tuple(seeds)
        held = [net.state_dict() for net in networks]
        whole = {name: torch.stack([one[name] for one in held]) for name in held[0]}
        last = f"layers.{len(networks[0].layers) - 1}."
        begins = {"layers": ("layers.",), "last layer": (last,), "ports": ("encoder", "readout"), "everything": ("",)}
        self.learnt = {k: x.requires_grad_() for k, x in whole.items() if k.startswith(begins[options.learns])}
        self.fixed = {k: x for k, x in whole.items() if k not in self.learnt}
        self.adam = torch.optim.AdamW([*self.learnt.values()], options.rate, weight_decay=options.decay, foreach=True)
        numbers = {
            f"{r} {name}": x for r, c in enumerate(circuits) for name, x in vars(c).items() if torch.is_tensor(x)
        }
        self._digest = digest({**self.fixed, **numbers}, "")
        self.done, self.unit = 0, self._unit()
        self._kept = self.state()

    def run(self, steps: int, watch: Watch | None = None) -> "Training":
        """Go on until so many steps are made in all.

        Args:
            steps: in all.
            watch: is told the step and the losses, every 100 steps; if it returns True the training ends there. When it
                is interrupted from the keyboard it ends at the last state that was kept, at most 100 steps before.

        Raises:
            FloatingPointError: if a loss is not finite; the training then stands at the last state that was kept, at
                most 100 steps before, and the message names both steps.
        """
        check_count("steps", steps)
        try:
            while self.done < steps:
                loss = self._step(self.options.rate, str(self.done))
                if self.done % _OFTEN == 0:
                    self._kept = self.state()
                    if watch is not None and watch(self.done, loss):
                        break
        except KeyboardInterrupt:  # perhaps in the middle of a step, which then would be made half
            return self.restore(self._kept)
        self._kept = self.state()
        return self

    def settled(self) -> list[TrainedNetwork]:
        """The networks after a fall to rest: from here the rate falls to 0 over a quarter of the steps made so far.

        This training itself stays where it is, so that it can go on.

        Raises:
            FloatingPointError: as `run`.
        """
        end = Training(self.networks, self.circuits, self.options, self.seeds).restore(self.state())
        fall = self.done // _FALL
        for k in range(fall):
            end._step(self.options.rate * (1 - (k + 1) / (fall + 1)), f"fall {self.done + k}")
        return end.networks_now()

    def networks_now(self) -> list[TrainedNetwork]:
        """The networks as they are at this step."""
        found = []
        for r, net in enumerate(self.networks):
            one = copy.deepcopy(net)
            one.load_state_dict({name: x[r].detach() for name, x in {**self.fixed, **self.learnt}.items()})
            found.append(one.requires_grad_(False))
        return found

    def settings(self) -> dict[str, Any]:
        """What a state of this training belongs to: sizes, options, seeds, and a digest of what it leaves as it is."""
        net = self.networks[0]
        sizes = {"T": net.T, "d": net.d, "L": net.L, "D": net.D, "layers": len(net.layers)}
        return {**sizes, **asdict(self.options), "seeds": list(self.seeds), "digest": self._digest}

    def state(self) -> State:
        """A copy of all that it needs to go on from this step."""
        tensors = {f"learnt {name}": x.detach().clone() for name, x in self.learnt.items()}
        for name, x in self.learnt.items():
            for moment in _MOMENTS:
                held = self.adam.state[x].get(moment)
                tensors[f"{moment} {name}"] = torch.zeros_like(x).detach() if held is None else held.clone()
        return State(tensors, self.done, self.settings())

    def restore(self, state: State) -> "Training":
        """Go to a state.

        Raises:
            ValueError: if it is one of other settings, or lacks a tensor; nothing is changed then.
        """
        here = self.settings()
        if other := [name for name in here if here[name] != state.settings.get(name)]:
            told = ", ".join(f"{name} = {state.settings.get(name)!r} for {here[name]!r}" for name in other)
            raise ValueError(f"state is of a training with other settings, {told}; go on with a training of those")
        for name, x in self.learnt.items():
            for kind in ("learnt", *_MOMENTS):
                found = state.tensors.get(f"{kind} {name}")
                if found is None or found.shape != x.shape:
                    shape = None if found is None else tuple(found.shape)
                    raise ValueError(f"state has {shape} for {kind} {name}; it must be of shape {tuple(x.shape)}")
        with torch.no_grad():
            for name, x in self.learnt.items():
                x.copy_(state.tensors[f"learnt {name}"])
                moments = {moment: state.tensors[f"{moment} {name}"].to(x).clone() for moment in _MOMENTS}
                self.adam.state[x] = {"step": torch.tensor(float(state.done)), **moments}
        self.done = state.done
        self._kept = self.state()
        return self

    def _step(self, rate: float, name: str) -> Float[Tensor, " R"]:
        """One step of Adam, on the batch with this name."""
        for group in self.adam.param_groups:
            group["lr"] = rate
        loss = self._loss(name)
        if not torch.isfinite(loss).all():
            at = self.done
            self.restore(self._kept)
            raise FloatingPointError(
                f"the loss is not finite at step {at}; the weights are those of step {self.done}: take a smaller rate "
                f"than {self.options.rate:g}"
            )
        self.adam.zero_grad(set_to_none=True)
        loss.sum().backward()
        self.adam.step()
        self.done += 1
        return loss.detach()

    def _loss(self, name: str) -> Float[Tensor, " R"]:
        o, drawn, truth = self.options, [], []
        for small, seed in zip(self.circuits, self.seeds, strict=True):
            own = generator(seed, f"batch {name}").initial_seed()
            drawn.append(batch(small, o.z, o.batch, seed=own, inputs=o.inputs))
            truth.append(small.run(*drawn[-1])[-1])
        square = (self._answers(drawn, name) - torch.stack(truth)).square().sum(dim=-1)
        if o.loss == "square":
            loss = square.mean(dim=(1, 2))
        elif o.loss == "fourth":
            loss = square.square().mean(dim=(1, 2)).sqrt()
        else:
            loss = square.flatten(1).topk(max(1, o.batch * o.z // _WORST), dim=1).values.mean(dim=1)
        return loss / self.unit

    def _answers(self, drawn: list[tuple[Tensor, Tensor]], name: str) -> Float[Tensor, "R B z d"]:
        """What the networks answer, all of them by one product a layer."""
        o, held = self.options, {**self.fixed, **self.learnt}
        g = generator(self.seeds[0], f"noise {name}")
        if o.shake:
            held = {k: _shaken(x, o.shake, g) if ".W" in k else x for k, x in held.items()}
        A = torch.stack([encode(own, *one) for own, one in zip(held["encoder"], drawn, strict=True)])
        for k, layer in enumerate(self.networks[0].layers):
            of = {part: held[f"layers.{k}.{part}"] for part in layer.state_dict()}
            pre = torch.baddbmm(of["b"][:, None], A, of["W"].mT)
            neurons = pre.relu() if layer.relu else pre
            A = A + neurons @ of["W_out"].mT if "W_out" in of else neurons
            A = _shaken(A, o.noise, g) if o.noise else A
        return torch.stack([read(own, a, one[0]) for own, a, one in zip(held["readout"], A, drawn, strict=True)])

    def _unit(self) -> Float[Tensor, " R"]:
        """The mean square of an answer, by which losses are divided."""
        o, found = self.options, []
        for small, seed in zip(self.circuits, self.seeds, strict=True):
            drawn = batch(small, o.z, _SCALE, seed=seed, inputs=o.inputs)
            found.append(small.run(*drawn)[-1].square().sum(dim=-1).mean())
        return torch.stack(found)


def _shaken(x: Float[Tensor, "R a b"], share: float, g: torch.Generator) -> Float[Tensor, "R a b"]:
    """With noise of that share of the root mean square of each network's numbers."""
    size = x.detach().square().mean(dim=(1, 2), keepdim=True).sqrt()
    return x + share * size * torch.randn(x.shape, generator=g, dtype=torch.float32).to(x)


def _check(
    networks: Sequence[TrainedNetwork],
    circuits: Sequence[MLPCircuits | ResidualCircuits],
    options: Options,
    seeds: Sequence[int],
) -> None:
    if not len(networks) == len(circuits) == len(seeds) > 0:
        given = f"{len(networks)} networks, {len(circuits)} circuits and {len(seeds)} seeds"
        raise ValueError(f"{given} are given; each network needs its circuits and its seed")
    for net, small in zip(networks, circuits, strict=True):
        sizes = {"T": (net.T, small.T), "d": (net.d, small.d), "L": (net.L, small.L)}
        if wrong := [f"{name} = {a} for {b}" for name, (a, b) in sizes.items() if a != b]:
            raise ValueError(f"a network has {', '.join(wrong)} of its circuits; they must agree")
    check_count("z", options.z, at_most=networks[0].T, why=f"only T = {networks[0].T} circuits exist")
    for seed in seeds:
        check_seed("seed", seed)
    shapes = {tuple((k, tuple(v.shape)) for k, v in net.state_dict().items()) for net in networks}
    if len(shapes) != 1:
        raise ValueError("networks have several shapes; those that are trained side by side must have one")
