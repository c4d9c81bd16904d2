"""What a compressed network is worth: proved, expected and measured, and whether it holds. Chapter 15."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path

from superpos.compression.records import Cost
from superpos.words import Rows, number, plain
from superpos.writing import written

CAP = 0.01  # of a module's own size: more is no rounding that a user could overlook
WORST = 5  # modules named
_DOUBT = 3.0  # standard errors
_FORETOLD = 2.0  # times the error expected: networks of other seeds differ by less
HOLDS, FAILS, ITSELF = "holds", "does NOT hold", "consistent with itself: no proof of the networks that it was made of"


@dataclass(frozen=True)
class LayerErrors:
    """The errors of active circuits after one layer, those without an answer left out.

    Attributes:
        relative: Σ|x̂ − x|² / Σ|x|².
        standard_error: of it, over samples.
        worst: the largest |x̂ − x|.
    """

    relative: float
    standard_error: float
    worst: float


@dataclass(frozen=True)
class ModuleErrors:
    """The errors and faults of one module.

    Attributes:
        name: of the module.
        samples: in which it was active.
        missing: in which the network had no answer of it, and said so.
        relative: Σ|ŷ − y|² / Σ|y|² of its answers; 0 where there are none.
        worst: the largest |ŷ − y| of these.
        wrong: answers that are off by more than rounding after some layer, by the layers or by `run`; of a network
            that is proved to be exact.
        coarse: whether rounding may have come, or has come, to more than `CAP` of its size after some layer.
        altered: whether the weights read back from the network differ from the module's by more than rounding.
        unlike: answers of the module itself, run by its own forward, that are not what its weights say.
    """

    name: str
    samples: int
    missing: int
    relative: float
    worst: float
    wrong: int
    coarse: bool
    altered: bool
    unlike: int


@dataclass(frozen=True)
class Certificate(Rows):
    """The certificate of a network of `superpos.compress`: what is proved, expected and measured, and whether it holds.

    Chapter 15.

    Attributes:
        method, T, D, z, tolerance, dtype: the network, and what it was made for.
        asked: the width asked for at most; None where none was.
        cost: what it costs as plain matrices, beside the modules.
        proved: in words; empty if nothing is.
        gated: whether the gates are as strong as the proof asks.
        reach, bound: of inputs and activations, for which it is proved; None if there is no limit.
        active: circuits active at once in the samples.
        missing: the fraction of active circuits without an answer to be expected: 0 for up to z of them, else an
            estimate. 0 for other constructions, which cannot tell.
        expected: the relative squared error after each layer of a network of which nothing is proved, from networks
            of other seeds; None where it is proved.
        samples, source: how many samples, and whose.
        against: what the outputs were held against.
        itself: whether that was read out of the network's own weights, so that nothing is proved by it.
        ran: whether the modules themselves were run, by their own forward.
        measured: errors after each layer.
        found_missing: the fraction without an answer among the samples, and its standard error.
        shortcut: the largest difference between `run` and the layers, as a part of a module's own size after that
            layer; infinite where `run` refuses the samples, or finds other answers live.
        modules: what was found of every module.
    """

    method: str
    T: int
    D: int
    asked: int | None
    z: int
    tolerance: float
    dtype: str
    cost: Cost
    proved: str
    gated: bool
    reach: float | None
    bound: float | None
    active: int
    missing: float
    expected: tuple[float, ...] | None
    samples: int
    source: str
    against: str
    itself: bool
    ran: bool
    measured: tuple[LayerErrors, ...]
    found_missing: tuple[float, float]
    shortcut: float
    modules: tuple[ModuleErrors, ...]

    @property
    def wrong(self) -> int:
        """The number of answers that are off by more than rounding, of a network that is proved to be exact."""
        return sum(m.wrong for m in self.modules)

    @property
    def faults(self) -> tuple[str, ...]:
        """The reasons why it does not hold, in words; empty where nothing was found.

        With more circuits active than z nothing is promised of how many have an answer, only of the answers of those.
        """
        return tuple(self._faults())

    def _faults(self) -> Iterator[str]:
        last, (found, _) = self.measured[-1], self.found_missing
        if silent := self._those(lambda m: m.samples <= m.missing):
            yield f"no answer of {silent} was measured: give more samples, or samples in which all of them run"
        if altered := self._those(lambda m: m.altered):
            yield f"the weights of {altered} are others in the network"
        if unlike := self._those(lambda m: m.unlike > 0):
            yield f"run by its own forward, {unlike} does not put out what its weights say"
        if not self.gated:
            yield f"its gates are weaker than the proof asks, for activations up to {number(self.bound or 0.0)}"
        if not self.shortcut <= CAP:
            apart = f"they differ by {number(self.shortcut)} of a module's size"
            refused = "run refuses the samples, or finds other answers live"
            yield f"run and the layers do not agree: {apart if math.isfinite(self.shortcut) else refused}"
        if self.expected is None:
            if wrong := self._those(lambda m: m.wrong > 0):
                yield f"{self.wrong:,} answers are off by more than rounding, of {wrong}"
            if coarse := self._those(lambda m: m.coarse):
                yield f"{self.dtype} is too coarse: rounding may come to more than {CAP:.0%} of the size of {coarse}"
            if not (self.active > self.z or found == 0):
                yield f"{found:.2%} of active modules have no answer"
            if not all(math.isfinite(layer.relative) for layer in self.measured):
                yield "the error after some layer is no number"
            return
        least = _DOUBT * last.standard_error
        if not last.relative <= self.tolerance + least:
            yield f"the error found, {number(last.relative)}, is above the tolerance, {self.tolerance:g}"
        if not last.relative <= _FORETOLD * self.expected[-1] + least + CAP**2:
            yield f"the error found, {number(last.relative)}, is not the one expected, {number(self.expected[-1])}"

    @property
    def holds(self) -> bool:
        """Whether the network does what its modules do, as far as is proved or as the tolerance says, for each of them.

        Every module was run, and its weights were found in the network; the layers and `run` agree.
        """
        return not self.itself and not self.faults

    @property
    def verdict(self) -> str:
        """The verdict in words: `holds`, or of a network held against itself, that it is consistent with itself."""
        if self.faults:
            return f"{FAILS}: {'; '.join(self.faults)}"
        return ITSELF if self.itself else HOLDS

    @property
    def worst(self) -> tuple[ModuleErrors, ...]:
        """The modules with the largest errors, worst first."""
        return tuple(sorted(self.modules, key=lambda m: (-m.relative, -m.missing))[:WORST])

    def _those(self, chosen: Callable[[ModuleErrors], bool]) -> str:
        """The modules of which something is so, in words: how many, and the first of them; empty without any."""
        names = [m.name for m in self.modules if chosen(m)]
        more = ", …" if len(names) > WORST else ""
        return f"{len(names):,} of {self.T:,} modules ({', '.join(names[:WORST])}{more})" if names else ""

    def rows(self) -> list[tuple[str, str]]:
        last = self.measured[-1]
        layers = ", ".join(number(layer.relative) for layer in self.measured)
        found, doubt = self.found_missing
        asked = "" if self.asked is None else f" (asked for at most {self.asked:,})"
        rows = [
            ("network", f"{self.T:,} modules, {self.method}, width {self.D:,}{asked}, {self.dtype}"),
            *self.cost.rows(),
            ("proved", self.proved or "nothing"),
        ]
        if self.reach is not None and self.bound is not None:
            rows.append(("for", f"inputs up to {self.reach:g} in size, activations up to {number(self.bound)}"))
        silent = self._those(lambda m: m.samples == 0)
        ran = f"{silent} never ran" if silent else "every module ran"
        rows.append(("measured on", f"{self.samples:,} samples ({self.source}), {self.active} active in each; {ran}"))
        rows.append(("against", self.against + (", each run by its own forward" if self.ran else "")))
        altered = self._those(lambda m: m.altered)
        rows.append(("weights", f"{altered} are others" if altered else "read back: the same"))
        if self.missing or found:
            share = f"{self.missing:.2%} expected, {found:.2%} ± {doubt:.2%} found; all flagged"
            rows.append(("no answer", share))
        if self.expected is not None:
            expected = ", ".join(map(number, self.expected))
            rows.append(("error expected", f"{expected} after each layer (relative, squared)"))
        rows.append(("error found", f"{layers} after each layer (relative, squared)"))
        rows.append(("largest error", f"{number(last.worst)} of an output"))
        rows.append(("run", f"differs from the layers by at most {number(self.shortcut)} of a module's size"))
        if self.expected is None:
            rows.append(("wrong answers", f"{self.wrong:,} that are not flagged"))
        named = "; ".join(f"{m.name} ({number(m.relative)})" for m in self.worst)
        rows.append(("worst modules", f"{named} (relative, squared)"))
        rows.append(("verdict", self.verdict))
        return rows

    def to_json(self) -> str:
        """The JSON of everything, what was found of every module too; the same numbers are the same text.

        What is no finite number stands as a string, "nan" or "inf": JSON has no such numbers.
        """
        verdict = {"holds": self.holds, "verdict": self.verdict, "faults": self.faults, "wrong": self.wrong}
        return json.dumps(plain({**asdict(self), **verdict}), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write `to_json()` to a file, whole or not at all.

        Raises:
            OSError: as `superpos.writing.check_free`, or if the disk is full.
        """
        with written(Path(path), overwrite=overwrite) as spare:
            spare.write_text(self.to_json(), encoding="utf-8")
