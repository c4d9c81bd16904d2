"""What a decomposition is held against: a bed's matrices, and what is known of its held-out samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from superpos.beds.part import Part
from superpos.beds.scoring.decomposition import Decomposition

CAP = 4  # components allowed for each true one


@dataclass(frozen=True, eq=False)
class Held:
    """A bed, and what is known of its held-out samples: all that scoring needs. Chapter 16.

    Attributes:
        name, version, control: which bed it is, and with which seed its own weights were shuffled; None if not.
        parts: its matrices, from the first one in which circuits have weights.
        counted: which outputs of the last one count.
        start: what the first of them reads.
        active: which circuits are active.
        importance: which pieces are needed, by the path of the matrix.
    """

    name: str
    version: int
    control: int | None
    parts: tuple[Part, ...]
    counted: Bool[Tensor, " out"]
    start: Float[Tensor, "B in"]
    active: Bool[Tensor, "B T"]
    importance: Mapping[str, Bool[Tensor, "B T r"]]

    @property
    def matrices(self) -> tuple[Part, ...]:
        """The matrices that are taken apart."""
        return tuple(part for part in self.parts if part.own)

    @property
    def says(self) -> dict[str, object]:
        """What the `about` of a decomposition of it says."""
        return {"bed": self.name, "bed_version": self.version, "control": self.control}

    def pieces(self, part: Part) -> int:
        """How many of the true pieces of a matrix are not 0."""
        return int((part.U.norm(dim=1) * part.V.norm(dim=1) > 0).sum())

    def cap(self, part: Part, machinery: str) -> int:
        """How many components a matrix may have: 4 for each piece, and for each rank of machinery taken apart too."""
        more = int(torch.linalg.matrix_rank(part.kept)) if machinery == "decomposed" else 0
        return CAP * (self.pieces(part) + more)

    @cached_property
    def groups(self) -> int:
        """How many groups a decomposition may have: as many as the largest matrix may have components."""
        return CAP * max(self.pieces(part) for part in self.matrices)

    @cached_property
    def outputs(self) -> Float[Tensor, "B counted"]:
        """What the network itself puts out, where it counts."""
        A = self.start
        for part in self.parts:
            pre = A @ part.W.mT + part.b
            A = pre.relu() if part.relu else pre
        return A[:, self.counted]

    def check(self, d: Decomposition, *, capped: bool = True) -> None:
        """Refuse what is no decomposition of this bed, before anything is computed.

        Raises:
            TypeError: if there is something else than tensors, or of another kind of numbers.
            ValueError: for another bed, version or control; matrices that are missing or that nobody knows; wrong
                shapes; numbers that are not finite; gates outside [0, 1]; groups out of range; too many components.
        """
        for key, mine in self.says.items():
            if (said := d.about.get(key, mine)) != mine:
                raise ValueError(f"about has {key} {said!r}; {self._called} has {key} {mine!r}")
        if d.machinery not in ("kept", "decomposed"):
            raise ValueError(f"about has machinery {d.machinery!r}; it must be 'kept' or 'decomposed'")
        for name in ("V", "U", "group", "gates"):
            self._check_paths(name, set(getattr(d, name)))
        for part in self.matrices:
            self._check_part(d, part, capped)

    @property
    def _called(self) -> str:
        return f"the bed {self.name!r}" + ("" if self.control is None else f" shuffled with seed {self.control}")

    def _check_paths(self, name: str, given: set[str]) -> None:
        known = {part.path for part in self.matrices}
        for path in sorted(known - given):
            raise ValueError(f"{name} has no matrix {path!r}; {self._called} has {', '.join(sorted(known, key=int))}")
        for path in sorted(given - known):
            raise ValueError(f"{name} has a matrix {path!r}; {self._called} has {', '.join(sorted(known, key=int))}")

    def _check_part(self, d: Decomposition, part: Part, capped: bool) -> None:
        path, C = part.path, d.V[part.path].shape[-1]
        shapes = {"V": (part.W.shape[1], C), "U": (part.W.shape[0], C), "group": (C,), "gates": (len(self.start), C)}
        words = {"V": "(in, C)", "U": "(out, C)", "group": "(C,)", "gates": "(held-out samples, C)"}
        for name, shape in shapes.items():
            x = getattr(d, name)[path]
            if tuple(x.shape) != shape:
                raise ValueError(f"{name}.{path} has shape {tuple(x.shape)}; it must be {words[name]} = {shape}")
            if x.is_floating_point() == (name == "group"):
                kind = "integers" if name == "group" else "floating point"
                raise TypeError(f"{name}.{path} has dtype {x.dtype}; it must be {kind}")
            if not torch.isfinite(x).all():
                where = tuple((~torch.isfinite(x)).nonzero()[0].tolist())
                raise ValueError(f"{name}.{path} holds {x[where].item()} at index {where}; every entry must be finite")
        if not C:
            raise ValueError(f"V.{path} has no component; a matrix needs at least one")
        cap = self.cap(part, d.machinery)
        if capped and cap < C:
            raise ValueError(
                f"V.{path} has {C} components; at most {cap} are allowed, {CAP} for each of the {cap // CAP} true ones"
            )
        _check_range(f"gates.{path}", d.gates[path], 0, 1, "gates lie in [0, 1]")
        if capped:
            words = f"groups are −1 for no circuit, or 0 … {self.groups - 1}"
            _check_range(f"group.{path}", d.group[path], -1, self.groups - 1, words)


def _check_range(name: str, x: Tensor, low: int, high: int, words: str) -> None:
    wrong = (x < low) | (x > high)
    if wrong.any():
        where = tuple(wrong.nonzero()[0].tolist())
        raise ValueError(f"{name} holds {x[where].item():g} at index {where}; {words}")
