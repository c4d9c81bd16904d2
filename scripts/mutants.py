"""Deliberate errors, and the tests that have to catch them: are the tests able to fail?

python scripts/mutants.py [NAME …] [--jobs 2] [--list]

Each error is made in a copy of the tree, never in the tree itself, and the named tests are run there. All of them are
first run on a copy without an error: a test that fails anyway catches nothing. To add an error, add a `Mutant`.
The exit code is 0 if every error was caught.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("superpos", "tests", "scripts", "book/_ext", "pyproject.toml")
SECONDS = 600  # for the tests of one error


@dataclass(frozen=True)
class Mutant:
    """One error: in the file `path` the text `old`, which stands there once, becomes `new`, and a test must fail."""

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]


def spoiled(mutant: Mutant, text: str) -> str:
    """The text with the error in it."""
    if (count := text.count(mutant.old)) != 1:
        raise ValueError(f"{mutant.name}: the old text stands {count} times in {mutant.path}, not once")
    return text.replace(mutant.old, mutant.new)


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of what the tests need."""
    with tempfile.TemporaryDirectory(prefix="superpos-mutant-") as folder:
        for name in COPIED:
            source, target = ROOT / name, Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(source, target)
        yield Path(folder)


def pytest(folder: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run tests on the package in `folder`."""
    own = {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **own}, capture_output=True, encoding="utf8", timeout=SECONDS
    )


def tried(mutant: Mutant) -> tuple[str, float, str]:
    """caught, SURVIVED or ERROR; seconds; and what pytest said."""
    start = time.monotonic()
    with copied() as folder:
        file = folder / mutant.path
        file.write_text(spoiled(mutant, file.read_text(encoding="utf-8")), encoding="utf-8")
        try:
            done = pytest(folder, mutant.tests)
        except subprocess.TimeoutExpired:
            return "ERROR", time.monotonic() - start, f"the tests took more than {SECONDS} s"
    verdict = {0: "SURVIVED", 1: "caught"}.get(done.returncode, "ERROR")  # 2 and above: the tests were not run
    return verdict, time.monotonic() - start, done.stdout + done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="errors to make; all of them if none is named")
    parser.add_argument("--list", action="store_true", help="only say which errors there are")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    asked = parser.parse_args()
    known = {mutant.name: mutant for mutant in MUTANTS}
    assert len(known) == len(MUTANTS), "two errors have one name"
    if unknown := [name for name in asked.names if name not in known]:
        parser.error(f"there is no error {', '.join(map(repr, unknown))}; --list names them")
    chosen = [known[name] for name in asked.names] or list(MUTANTS)
    if asked.list:
        print("\n".join(f"{mutant.name:34s} {mutant.path}" for mutant in chosen))
        return 0
    for mutant in chosen:  # before an hour is spent
        spoiled(mutant, (ROOT / mutant.path).read_text(encoding="utf-8"))
    with copied() as folder:
        sound = pytest(folder, tuple(sorted({test for mutant in chosen for test in mutant.tests})))
    if sound.returncode:
        print(sound.stdout + sound.stderr, "The tests fail without an error too.", sep="\n")
        return 1
    missed = []
    with ThreadPoolExecutor(asked.jobs) as pool:
        for mutant, (verdict, seconds, said) in zip(chosen, pool.map(tried, chosen), strict=True):
            print(f"{verdict:9s}{seconds:6.1f} s  {mutant.name}", flush=True)
            if verdict != "caught":
                missed.append(mutant.name)
                print(said if verdict == "ERROR" else f"  passed: {' '.join(mutant.tests)}", flush=True)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} errors caught")
    return 1 if missed else 0


THEORY = "superpos/theory/"
TERM = "tests/test_recursion.py::test_every_term_of_a_layer_in_which_it_is_large"
SMALL = "tests/test_seizure.py::test_recursion_predicts_small_networks"
HEARS = "tests/test_seizure.py::test_the_indicator_that_a_slot_hears_of_idle_slots"
TURNED = "tests/test_seizure.py::test_turned_points_that_a_slot_hears"
EXACT, LAYERS = "tests/test_exact.py", "tests/test_exact_layers.py"
PLANS, REFUSALS = "tests/test_exact_plan.py", "tests/test_exact_refusals.py"
FORGET = "tests/test_theory.py::test_redundant_circuits_that_forget_what_they_hear"
APART = "tests/test_theory.py::test_rotations_are_predicted_where_their_overlap_is_small"

MUTANTS = (
    # Terms of theory.
    Mutant(
        "in phase",
        THEORY + "recursion.py",
        "back = echo + gain_square * (x + s.d * r_active + 2 * q)",
        "back = echo",
        (f"{TERM}[in phase]",),
    ),
    Mutant(
        "pairs that are in phase",
        THEORY + "recursion.py",
        "(x.sum().square() - x.square().sum()) / max(len(x) * (len(x) - 1), 1)",
        "x.mean().square()",
        (f"{TERM}[half in phase]",),
    ),
    Mutant(
        "others in phase",
        THEORY + "recursion.py",
        "gain_square * (x + s.d * r_active + 2 * q)",
        "gain_square * (x + 2 * q)",
        (f"{TERM}[in phase with many]",),
    ),
    Mutant(
        "a silent circuit's answer to itself",
        THEORY + "recursion.py",
        "gain_square * (x + s.d * r_active + 2 * q)",
        "gain_square * (x + s.d * r_active)",
        (f"{TERM}[in phase with what stands there]",),
    ),
    Mutant(
        "share of the noise that comes from one",
        THEORY + "recursion.py",
        "noise = r_inactive + q / s.d",
        "noise = r_inactive",
        (f"{TERM}[one coordinate and what stands there]",),
    ),
    Mutant(
        "an error in phase",
        THEORY + "recursion.py",
        "x = s.x - float(s.indicator) + e\n",
        "x = s.x - float(s.indicator)\n",
        (f"{TERM}[in phase with an error]",),
    ),
    Mutant(
        "an indicator in phase",
        THEORY + "recursion.py",
        "x = s.x - float(s.indicator) + e\n",
        "x = s.x + e\n",
        (f"{TERM}[in phase with indicators]",),
    ),
    Mutant(
        "echo",
        THEORY + "recursion.py",
        "back = echo + gain_square",
        "back = gain_square",
        (f"{TERM}[one coordinate]",),
    ),
    Mutant(
        "echo along the scatter",
        THEORY + "recursion.py",
        "(echo.square() + along.sum(dim=-1))",
        "echo.square()",
        (f"{TERM}[one coordinate of few neurons]",),
    ),
    Mutant(
        "back in the total",
        THEORY + "recursion.py",
        "(T - z) * q) + back\n",
        "(T - z) * q)\n",
        (f"{TERM}[in phase]",),
    ),
    Mutant(
        "errors of the other active circuits",
        THEORY + "recursion.py",
        "(z - 1) * (s.y + e) + (T - z) * q) + back",
        "(z - 1) * s.y + (T - z) * q) + back",
        (f"{TERM}[all active]",),
    ),
    Mutant(
        "signal with its indicator",
        THEORY + "recursion.py",
        "signal=s.y - float(s.indicator)",
        "signal=s.y",
        (f"{TERM}[one coordinate and an indicator]",),
    ),
    Mutant(
        "error that others read",
        THEORY + "recursion.py",
        "r_active = read_off(1, D, (z - 1) * (s.x + e)",
        "r_active = read_off(1, D, (z - 1) * s.x",
        (f"{TERM}[errors in the stream]",),
    ),
    Mutant(
        "what stands on silent circuits",
        THEORY + "recursion.py",
        "r_active = read_off(1, D, (z - 1) * (s.x + e) + (T - z) * q)",
        "r_active = read_off(1, D, (z - 1) * (s.x + e))",
        (f"{TERM}[errors in the stream]",),
    ),
    Mutant(
        "error that silent circuits read",
        THEORY + "recursion.py",
        "r_inactive = read_off(1, D, z * (s.x + e)",
        "r_inactive = read_off(1, D, z * s.x",
        (f"{TERM}[errors in the stream]",),
    ),
    Mutant(
        "what silent circuits read of each other",
        THEORY + "recursion.py",
        "r_inactive = read_off(1, D, z * (s.x + e) + others * q)",
        "r_inactive = read_off(1, D, z * (s.x + e))",
        (f"{TERM}[errors in the stream]",),
    ),
    Mutant(
        "own part of a drawn noise",
        THEORY + "recursion.py",
        "size[: s.d] += q / s.d",
        "size[: s.d] += 0.0",
        (f"{TERM}[errors in the stream]",),
    ),
    Mutant(
        "common part of a drawn noise",
        THEORY + "recursion.py",
        "shift = shift + math.sqrt(common)",
        "shift = shift + 0.0",
        (f"{TERM}[many circuits]",),
    ),
    Mutant(
        "what stands there in the total",
        THEORY + "recursion.py",
        "(z - 1) * (s.y + e) + (T - z) * q) + back",
        "(z - 1) * (s.y + e)) + back",
        (f"{TERM}[errors in the stream]",),
    ),
    Mutant(
        "errors in a silent circuit's total",
        THEORY + "recursion.py",
        "z * (s.y + e) + others * q) if",
        "z * s.y + others * q) if",
        (f"{TERM}[errors in the stream]",),
    ),
    Mutant(
        "what stands there in a silent circuit's total",
        THEORY + "recursion.py",
        "z * (s.y + e) + others * q) if",
        "z * (s.y + e)) if",
        (f"{TERM}[errors in the stream]",),
    ),
    Mutant(
        "met by silent circuits",
        THEORY + "recursion.py",
        "spread = (second - first.square()) / S + met",
        "spread = (second - first.square()) / S",
        (f"{TERM}[few neurons of two]",),
    ),
    Mutant(
        "met by active circuits",
        THEORY + "recursion.py",
        "variance = variance + (1 - 1 / S) * (z - 1) * pi * rho * alike(s.pre, mixture, values)",
        "variance = variance * 1.0",
        (f"{TERM}[few neurons]",),
    ),
    Mutant(
        "several",
        THEORY + "recursion.py",
        "several = speaking * (speaking - 1) * (pi * average) ** 2",
        "several = 0.0",
        (f"{TERM}[alike]",),
    ),
    Mutant(
        "mixed",
        THEORY + "recursion.py",
        "+ averaged(noise, M, S) + several + mixed",
        "+ averaged(noise, M, S) + several",
        (f"{TERM}[alike on all neurons]",),
    ),
    Mutant(
        "own error of an active circuit",
        THEORY + "recursion.py",
        "s.w_in * (r_active + e / s.d)",
        "s.w_in * r_active",
        (f"{TERM}[errors in the stream]",),
    ),
    Mutant(
        "own noise of a silent circuit",
        THEORY + "recursion.py",
        "c_inactive = s.w_in * (r_inactive + q / s.d)",
        "c_inactive = s.w_in * r_inactive",
        (f"{TERM}[errors in the stream]",),
    ),
    Mutant(
        "indicator of a silent circuit",
        THEORY + "recursion.py",
        " + s.w_indicator * r_inactive",
        "",
        (f"{TERM}[indicators]",),
    ),
    Mutant(
        "indicator of an active circuit",
        THEORY + "recursion.py",
        " + s.w_indicator * r_active",
        "",
        (f"{TERM}[indicators]",),
    ),
    Mutant(
        "correlation of copies",
        THEORY + "recursion.py",
        "rho = (S - 1) / (M - 1) if M > 1 else 0.0",
        "rho = 0.0",
        (f"{TERM}[many circuits]",),
    ),
    Mutant(
        "unequal neurons",
        THEORY + "recursion.py",
        "sharers(silent, pi, c_silent, s.kurtosis)",
        "sharers(silent, pi, c_silent, 1.0)",
        (f"{TERM}[unequal]",),
    ),
    Mutant(
        "met before",
        THEORY + "slots.py",
        "self._linked_slots(b - 1, self.met, kinds)",
        "self._linked_slots(b - 1, 0 * self.met, kinds)",
        (f"{SMALL}[('progression', 60, 60, 3, 1)]",),
    ),
    Mutant(
        "together",
        THEORY + "slots.py",
        " + together * (self.alike - mean**2))",
        ")",
        (f"{HEARS}[together-40-120-6]",),
    ),
    Mutant(
        "reached",
        THEORY + "slots.py",
        "mean**2 * reached + together",
        "together",
        (f"{HEARS}[apart-49-21-3]",),
    ),
    Mutant(
        "share",
        THEORY + "slots.py",
        "expected[kind] * self.share",
        "expected[kind]",
        ("tests/test_seizure.py::test_some_samples_are_louder_than_others",),
    ),
    Mutant(
        "share of squares",
        THEORY + "slots.py",
        " * self.share_square).sqrt()",
        ").sqrt()",
        ("tests/test_seizure.py::test_a_loud_sample_hears_more",),
    ),
    Mutant(
        "points of idle circuits",
        THEORY + "slots.py",
        "self.z * self.rho * size + self.norm)",
        "self.z * self.rho * size)",
        (TURNED,),
    ),
    Mutant(
        "points heard twice",
        THEORY + "slots.py",
        "new = (K - self.met.sum(dim=-1, keepdim=True)).clamp_min(0)",
        "new = K",
        (TURNED,),
    ),
    Mutant(
        "unlinked slots",
        THEORY + "slots.py",
        "(self.link - 2 * self.chi) * p + self.chi**2",
        "(self.link - 2 * self.chi) * p",
        (HEARS,),
    ),
    Mutant(
        "links to a slot that is linked",
        THEORY + "slots.py",
        "(1 - k / self.S).clamp_min(0)",
        "torch.ones_like(k)",
        (f"{SMALL}[('line', 100, 60, 4, 1)]",),
    ),
    Mutant(
        "an active circuit on one's slot",
        THEORY + "slots.py",
        "(self.alpha[..., None] + shared * speaking)",
        "self.alpha[..., None]",
        (f"{SMALL}[('progression', 60, 60, 3, 2)]",),
    ),
    Mutant(
        "its point on one's slot",
        THEORY + "slots.py",
        "xi = self.truth[:, :, None] + shared.sqrt()[..., None] * self._direction(*a.shape)",
        "xi = self.truth[:, :, None] + 0 * shared[..., None]",
        ("tests/test_seizure.py::test_two_active_circuits_on_one_slot_add_up",),
    ),
    Mutant(
        "propagation between rotations",
        THEORY + "overlap.py",
        "propagated = (l - 1) * T * rho**2 * (z + 8 * (z - 1))",
        "propagated = (l - 1) * T * rho**2 * z",
        ("tests/test_theory.py::test_first_order_in_the_overlap_by_hand",),
    ),
    Mutant(
        "correlation in a mean",
        THEORY + "equations.py",
        "(1 / S + (1 - 1 / S) * correlation)",
        "(1 / S)",
        ("tests/test_theory.py::test_formulas_by_hand",),
    ),
    Mutant(
        "slots that are not idle",
        THEORY + "slots.py",
        "self.count * (1 - z * self.uses / self.T)",
        "self.count",
        (f"{SMALL}[('line', 100, 60, 4, 1)]",),
    ),
    Mutant(
        "slots as often as they are used",
        THEORY + "slots.py",
        "self.chosen = self.uses * self.count / (self.T * self.S)",
        "self.chosen = self.count / self.n",
        (f"{SMALL}[('line', 100, 60, 4, 1)]",),
    ),
    Mutant(
        "circuits of one kind",
        THEORY + "slots.py",
        "total, kind = (self.rows - 1)",
        "total, kind = (0 * self.rows + self.rows.mean() - 1)",
        ("tests/test_seizure.py::test_how_many_slots_of_one_circuit_others_link",),
    ),
    Mutant(
        "active circuits of one kind",
        THEORY + "slots.py",
        "kinds = self.kind[self._integers(self.T, self.G, self.z)]",
        "kinds = 0 * self._integers(self.T, self.G, self.z)",
        (f"{SMALL}[('line', 100, 60, 4, 1)]",),
    ),
    Mutant(
        "circuits that are drawn twice",
        THEORY + "slots.py",
        "return 1 - torch.where(self.uses + a > self.T, 0.0, none)",
        "return 1 - (1 - self.uses / self.T) ** a",
        ("tests/test_seizure.py::test_how_often_one_of_some_circuits_has_a_slot",),
    ),
    Mutant(
        "more circuits than are left",
        THEORY + "slots.py",
        "return 1 - torch.where(self.uses + a > self.T, 0.0, none)",
        "return 1 - none",
        ("tests/test_seizure.py::test_how_often_one_of_some_circuits_has_a_slot",),
    ),
    Mutant(
        "own point of an idle slot",
        THEORY + "slots.py",
        "xi + _rotated(self.idle_x, self.idle_turn)[:, :, None]",
        "xi",
        (TURNED,),
    ),
    Mutant(
        "own indicator of an idle slot",
        THEORY + "slots.py",
        "self._heard(b - 1, K) + self.idle_alpha[..., None]",
        "self._heard(b - 1, K)",
        (f"{SMALL}[('progression', 60, 60, 3, 1)]",),
    ),
    Mutant(
        "an idle slot's own links counted once",
        THEORY + "slots.py",
        "self._heard(b - 1, K) + self.idle_alpha[..., None]",
        "self._heard(b - 1, K) + (1 + self.S * self.chi) * self.idle_alpha[..., None]",
        ("tests/test_seizure.py::test_recursion_stays_with_networks_over_many_layers",),
    ),
    Mutant(
        "links of a sample, which have a fixed number",
        THEORY + "slots.py",
        "score = score - score.mean(dim=(1, 2), keepdim=True)",
        "score = score + 0.0",
        ("tests/test_seizure.py::test_some_samples_are_louder_than_others[2]",),
    ),
    Mutant(
        "balance of an active circuit's own indicator",
        THEORY + "slots.py",
        "own = self.alpha[..., None] + self.S * self.chi * speaking",
        "own = self.alpha[..., None]",
        (f"{SMALL}[('line', 100, 60, 4, 1)]",),
    ),
    Mutant(
        "points of active circuits on one's slot",
        THEORY + "slots.py",
        "xi = xi + (shared * size).sqrt()[..., None] * self._direction(*a.shape)",
        "xi = xi + 0.0",
        (TURNED,),
    ),
    Mutant(
        "points of active circuits through idle ones",
        THEORY + "slots.py",
        "self._noise(others * (self.z * self.rho * size + self.norm))",
        "self._noise(others * self.norm)",
        (TURNED,),
    ),
    Mutant(
        "points of active circuits on idle slots",
        THEORY + "slots.py",
        "self._noise(new * size / self.S**2 + (b - 1) * self.norm)",
        "self._noise((b - 1) * self.norm)",
        (TURNED,),
    ),
    Mutant(
        "points of idle circuits on idle slots",
        THEORY + "slots.py",
        "self._noise(new * size / self.S**2 + (b - 1) * self.norm)",
        "self._noise(new * size / self.S**2)",
        (TURNED,),
    ),
    Mutant(
        "balance of active circuits",
        THEORY + "slots.py",
        "(self.link * K - self.chi * self.z * self.S)",
        "(self.link * K)",
        (f"{SMALL}[('line', 100, 60, 4, 1)]",),
    ),
    Mutant(
        "balance of idle slots",
        THEORY + "slots.py",
        "(p * self.link - self.chi)",
        "(p * self.link)",
        (f"{SMALL}[('line', 100, 60, 4, 1)]",),
    ),
    Mutant(
        "links to the circuit that is met",
        THEORY + "slots.py",
        " * (1 - meets)).sum(dim=-1)",
        ").sum(dim=-1)",
        (f"{SMALL}[('line', 100, 48, 4, 2)]",),
    ),
    Mutant(
        "spread of an idle indicator",
        THEORY + "slots.py",
        "weight * (self.square - self.mean**2)",
        "weight * 0.0",
        (HEARS,),
    ),
    Mutant(
        "a circuit's own slots in the balance",
        THEORY + "slots.py",
        "self.T * self.S**2\n",
        "0.0\n",
        (f"{SMALL}[('line', 100, 60, 4, 1)]",),
    ),
    Mutant(
        "means by uses",
        THEORY + "slots.py",
        "return total / slots.clamp_min(1)",
        "return 0 * total + total.sum() / slots.sum()",
        (f"{SMALL}[('line', 100, 60, 4, 1)]",),
    ),
    Mutant(
        "two circuits on one slot in layer 1",
        THEORY + "slots.py",
        "_respond(1 + shared, xi)",
        "_respond(1 + 0 * shared, xi)",
        (f"{SMALL}[('line', 100, 48, 4, 2)]",),
    ),
    Mutant(
        "what idle circuits read of active ones' slots",
        THEORY + "slots.py",
        "torch.where(idle > 0, idle_alpha, alpha[like])",
        "(idle * idle_alpha)",
        (f"{SMALL}[('line', 100, 48, 4, 2)]",),
    ),
    Mutant(
        "exponential of the leak",
        THEORY + "seizure.py",
        "math.expm1(T * S**2 / n**2)",
        "(T * S**2 / n**2)",
        ("tests/test_seizure.py::test_leak_is_the_spread_of_linked_slots",),
    ),
    Mutant(
        "propagation between MLPs",
        THEORY + "overlap.py",
        " + (l - 1) * T * rho * z",
        "",
        (f"{FORGET}[1]",),
    ),
    Mutant(
        "overlap that adds up over layers",
        THEORY + "overlap.py",
        "l * (z - 1) + (l - 1)",
        "(z - 1) + (l - 1)",
        (f"{FORGET}[2]",),
    ),
    Mutant(
        "what an inactive MLP hears",
        THEORY + "overlap.py",
        "inactive=z * rho * state",
        "inactive=0.0",
        ("tests/test_redundant.py::test_errors_of_the_first_layer",),
    ),
    Mutant(
        "overlap between rotations",
        THEORY + "overlap.py",
        " + 9 * l * rho * (z - 1)",
        "",
        (f"{APART}[2]",),
    ),
    Mutant(
        "eightfold error of the indicator",
        THEORY + "overlap.py",
        "9 * l * rho * (z - 1)",
        "l * rho * (z - 1)",
        (f"{APART}[2]",),
    ),
    Mutant(
        "propagation of rotations",
        THEORY + "overlap.py",
        "active=propagated + 9",
        "active=9",
        (f"{APART}[1]",),
    ),
    Mutant(
        "what an inactive indicator hears",
        THEORY + "overlap.py",
        "active=0.0, inactive=z * rho",
        "active=0.0, inactive=rho",
        (f"{APART}[2]",),
    ),
    Mutant(
        "own lengths of a Gaussian embedding",
        THEORY + "equations.py",
        "(d + 1) * x / D",
        "d * x / D",
        ("tests/test_theory.py::test_read_off_against_embedding_matrices",),
    ),
    Mutant(
        "copies that average nothing",
        THEORY + "equations.py",
        "(1 / S + (1 - 1 / S) * correlation)",
        "1.0",
        (f"{TERM}[many circuits]",),
    ),
    # The counting of codes.
    Mutant(
        "balls beside one leave it alone",
        "superpos/codes/singles.py",
        "after[:, :-1] += (p * alone / q)[:, 1:]",
        "after += p * alone / q",
        ("tests/test_bounds.py::test_served_is_what_counting_gives",),
    ),
    Mutant(
        "all columns hear the same circuits",
        "superpos/codes/singles.py",
        "ways = math.comb(c - u, new) * math.comb(u, m - new) / math.comb(c, m)",
        "ways = float(new == max(m - u, 0))",
        ("tests/test_bounds.py::test_served_is_what_counting_gives",),
    ),
    Mutant(
        "z - 1 lanes hold all copies of one circuit at most",
        "superpos/theory/lanes.py",
        "few = min(copies, (z - 1) * math.comb(lanes, z - 1))",
        "few = min(copies, math.comb(lanes, z - 1))",
        ("tests/test_bounds.py::test_the_bound_of_lanes_by_hand",),
    ),
    Mutant(
        "no circuit has a single block",
        "superpos/theory/lanes.py",
        "(N * N + N)) - half) // 4",
        "(N * N)) - half) // 4",
        ("tests/test_bounds.py::test_every_pattern_of_few_slots_is_below_the_bound",),
    ),
    Mutant(
        "lines that meet twice",
        "superpos/codes/families.py",
        "field.add(field.multiply(t // q, column), t % q)",
        "field.add(field.multiply(t // q, column // 2), t % q)",
        ("tests/test_codes.py::test_lines_by_hand",),
    ),
    Mutant(
        "steps of the progression code",
        "superpos/codes/families.py",
        "if all(rest % p for p in range(2, S)):",
        "if True:",
        ("tests/test_codes.py::test_progressions_are_laid_as_the_posts_say",),
    ),
    Mutant(
        "no primitive element",
        "superpos/codes/fields.py",
        "(logarithm[x] + logarithm[y]) % (self.q - 1)",
        "(logarithm[x] + logarithm[y]) % self.q % (self.q - 1)",
        ("tests/test_codes.py::test_field_axioms[9]",),
    ),
    # Circuits and draws.
    Mutant(
        "generator without a purpose",
        "superpos/sampling.py",
        "seed ^ crc32(purpose.encode()) << 20 if purpose else seed",
        "seed",
        ("tests/test_circuits.py::test_one_seed_does_not_tie_inputs_to_circuits",),
    ),
    Mutant(
        "an order that is not uniform",
        "superpos/sampling.py",
        "return chosen.gather(1, order)",
        "return chosen",
        ("tests/test_sampling.py::test_every_ordered_tuple_is_equally_likely",),
    ),
    Mutant(
        "step that erases less noise",
        "superpos/circuits/families.py",
        "c.new_tensor([-0.5, -1.5, -1.0, -1.0])",
        "c.new_tensor([-0.3, -1.3, -1.0, -1.0])",
        ("tests/test_circuits.py::test_inactive_conditional_rotations_stay_silent",),
    ),
    Mutant(
        "threshold carried twice",
        "superpos/circuits/thresholds.py",
        "rest = circuits.bias + circuits.bias.new_tensor(theta)[:, None, None]",
        "rest = circuits.bias",
        ("tests/test_residual.py::test_carry_bias_by_hand",),
    ),
    # Constructions.
    Mutant(
        "sign in the QR of the embedding",
        "superpos/residual.py",
        ".mul_(R.diagonal(dim1=1, dim2=2).sign()[:, :, None])",
        "",
        ("tests/test_residual.py::test_read_off_between_circuits_has_mean_0_and_variance_1_over_D",),
    ),
    Mutant(
        "copies that are not averaged",
        "superpos/residual.py",
        "_scatter(w_out.mT / S, neurons, M)",
        "_scatter(w_out.mT, neurons, M)",
        ("tests/test_residual.py::test_the_four_steps_are_the_dense_formulas",),
    ),
    Mutant(
        "one draw of neurons for all layers",
        "superpos/residual.py",
        "choose_neurons(T, m, M, S, seed=s) for s in by_layer",
        "choose_neurons(T, m, M, S, seed=own) for s in by_layer",
        ("tests/test_residual.py::test_embed_puts_the_steps_together",),
    ),
    Mutant(
        "layers swapped in the redundant network",
        "superpos/redundant.py",
        "blocks.superpose(w / to.shape[1], to, source, n)",
        "blocks.superpose(w / to.shape[1], source, to, n)",
        ("tests/test_redundant.py::test_circuits_that_share_no_slot_are_exact",),
    ),
    Mutant(
        "a circuit's own links in the balance",
        "superpos/balanced.py",
        "excess = linked - T * S * S",
        "excess = linked",
        ("tests/test_balanced.py::test_chi_by_hand",),
    ),
    Mutant(
        "a mean that is not taken off",
        "superpos/balanced.py",
        "((w - mean) / S, mean / S) if cap",
        "(w / S, mean / S) if cap",
        ("tests/test_balanced.py::test_weights_are_the_formula",),
    ),
    Mutant(
        "no permutation of the circuits",
        "superpos/codes/placing.py",
        "slots[torch.randperm(T, generator=generator(s))] for s in later",
        "slots for s in later",
        ("tests/test_redundant.py::test_every_layer_permutes_the_circuits_over_the_same_sets",),
    ),
    Mutant(
        "units that are not given back",
        "superpos/blocks.py",
        "return mean.mT * self.unit[layer - 1, active]",
        "return mean.mT",
        ("tests/test_balanced.py::test_a_common_bias_by_hand",),
    ),
    # Ablation.
    Mutant(
        "ablation of the active circuits themselves",
        "superpos/errors/ablation.py",
        "mask.scatter(1, active, 1.0)",
        "mask",
        ("tests/test_ablation.py::test_errors_before_and_after_by_hand",),
    ),
    Mutant(
        "an adversary that helps",
        "superpos/errors/ablation.py",
        "mask + step * slope.sign()",
        "mask - step * slope.sign()",
        ("tests/test_ablation.py::test_the_adversary_does_more_harm_with_more_steps",),
    ),
    Mutant(
        "the last mask in the place of the worst",
        "superpos/errors/ablation.py",
        "torch.where(harm > most, mask, best)",
        "mask",
        ("tests/test_ablation.py::test_the_adversary_keeps_the_worst_mask_it_has_seen",),
    ),
    Mutant(
        "a mean that is dropped with a circuit",
        "superpos/blocks.py",
        "later - later.mean(dim=1, keepdim=True) if self.centred else later",
        "later",
        ("tests/test_ablation.py::test_a_masked_network_is_one_really_built_with_those_weights",),
    ),
    Mutant(
        "what a dropped circuit writes back",
        "superpos/residual.py",
        "layer.write(X, neurons) - written @ E",
        "layer.write(X, neurons) - 0 * written @ E",
        ("tests/test_ablation.py::test_a_masked_network_is_one_really_built_with_those_weights",),
    ),
    Mutant(
        "biases that survive the weights of a cell",
        "superpos/exact/cells.py",
        "missing[..., None] * self.weights, missing * self.biases",
        "missing[..., None] * self.weights, 0 * missing * self.biases",
        ("tests/test_ablation.py::test_a_masked_exact_network_is_one_really_built_with_those_weights",),
    ),
    Mutant(
        "masks of the circuits (j, i)",
        "superpos/exact/network.py",
        "value=1.0).unflatten(1, (n, n))",
        "value=1.0).unflatten(1, (n, n)).mT",
        ("tests/test_ablation.py::test_nothing_changes_in_an_exact_network_bit_for_bit",),
    ),
    Mutant(
        "what comes back of half the circuits",
        "superpos/theory/overlap.py",
        "(1 - 2 * mean + square) * back",
        "(1 - square) * back",
        ("tests/test_ablation.py::test_errors_without_inactive_circuits_are_predicted",),
    ),
    # Checks and sweeps.
    Mutant(
        "a circuit that is active twice",
        "superpos/checks.py",
        "repeated = ordered[:, 1:] == ordered[:, :-1]",
        "repeated = active[:, 1:] == active[:, :-1]",
        ("tests/test_refusals.py::test_batches",),
    ),
    Mutant(
        "True for a number",
        "superpos/checks.py",
        "if isinstance(value, bool) or not isinstance(value, int):",
        "if not isinstance(value, int):",
        ("tests/test_refusals.py::test_counts",),
    ),
    Mutant(
        "a search that stops early",
        "superpos/sweep/capacity.py",
        "while high - low > 1 and high > _STEP * low:",
        "while high - low > 1 and high > 1.2 * low:",
        ("tests/test_capacity.py::test_the_search_finds_what_a_scan_finds",),
    ),
    Mutant(
        "inactive circuits that are active",
        "superpos/sweep/experiments.py",
        "clash.int().argsort(dim=1, stable=True)",
        "(1 - clash.int()).argsort(dim=1, stable=True)",
        ("tests/test_sweep.py::test_inactive_circuits_are_inactive_and_distinct",),
    ),
    # What is measured.
    Mutant(
        "unequal parts that weigh alike",
        "superpos/errors/measured.py",
        "* (len(t) / len(active))",
        "/ 3",
        ("tests/test_errors.py::test_a_last_part_that_is_smaller_weighs_less",),
    ),
    Mutant(
        "unequal parts of a run",
        "superpos/network.py",
        "shares = [run.estimates.shape[1] / len(active) for run in runs]",
        "shares = [1 / len(runs) for run in runs]",
        ("tests/test_network.py::test_parts_of_unequal_size_weigh_as_much_as_they_hold",),
    ),
    Mutant(
        "active circuits among the inactive",
        "superpos/errors/measured.py",
        ".scatter_(1, t, False)",
        ".scatter_(1, t, True)",
        ("tests/test_errors.py::test_measure_is_the_double_loop",),
    ),
    Mutant(
        "spread without the signal",
        "superpos/errors/relative.py",
        "off - ratio[..., None] * size",
        "off",
        ("tests/test_errors.py::test_relative_by_hand",),
    ),
    Mutant(
        "states by the shortcut",
        "superpos/exact/network.py",
        "        yield from super().trace(A)",
        "        yield from ((A * 0 + 1, A * 0 + 1) for _ in self.cells)",
        ("tests/test_exact.py::test_run_says_what_the_matrices_do",),
    ),
    # The exact construction.
    Mutant(
        "neurons in another order",
        "superpos/exact/layout.py",
        "for name, _ in self.groups], dim=1)",
        "for name in sorted(self.shapes)], dim=1)",
        (f"{LAYERS}::test_every_neuron_has_one_name",),
    ),
    Mutant(
        "a group that begins late",
        "superpos/exact/layout.py",
        "return sum(self._sizes[: names.index(name)])",
        "return sum(self._sizes[: names.index(name)]) + 1",
        (f"{LAYERS}::test_every_neuron_has_one_name",),
    ),
    Mutant(
        "names that are read backwards",
        "superpos/exact/layout.py",
        "map(str, [name, *place])",
        "map(str, [name, *place[::-1]])",
        (f"{LAYERS}::test_every_neuron_has_one_name",),
    ),
    Mutant(
        "compare takes more than there is room for",
        "superpos/exact/sizes.py",
        "len(left) > take - 1:",
        "len(left) > take:",
        (f"{PLANS}::test_every_number_is_taken_once",),
    ),
    Mutant(
        "states before their key",
        "superpos/exact/sizes.py",
        "left, marks = (d, *range(d)), []",
        "left, marks = (*range(d), d), []",
        (f"{PLANS}::test_every_number_is_taken_once",),
    ),
    Mutant(
        "a pass for the rest that is not there",
        "superpos/exact/sizes.py",
        "return -(-self.z // self.lanes)",
        "return self.z // self.lanes",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "only those that run are listed",
        "superpos/exact/sizes.py",
        "return (plan.z, plan.d + 1) if plan.passes > 1",
        "return (plan.lanes, plan.d + 1) if plan.passes > 1",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "the last mark has no room in the plan",
        "superpos/exact/sizes.py",
        'yield Stage("mark", plan.z, Layout.of(taken=(N, e), list=(plan.z - 1, e)), every)',
        'yield Stage("mark", plan.z, Layout.of(taken=(N, e)), every)',
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "sizes that are no integers",
        "superpos/exact/sizes.py",
        "fits = all(type(x) is int and x >= 1 for x in (k, q, S, self.take))",
        "fits = min(k, q, S, self.take) >= 1",
        (f"{REFUSALS}::test_plans_of_which_nothing_is_proved",),
    ),
    Mutant(
        "a plan of too few columns",
        "superpos/exact/sizes.py",
        "(self.z - 1) * (k - 1) + 1 <= S <=",
        "(self.z - 1) * (k - 1) <= S <=",
        (f"{REFUSALS}::test_plans_of_which_nothing_is_proved",),
    ),
    Mutant(
        "layers that are not counted",
        "superpos/exact/sizes.py",
        "(4 * plan.passes if plan.entry is not None else 0)",
        "(4 if plan.entry is not None else 0)",
        (f"{PLANS}::test_the_network_is_as_planned",),
    ),
    Mutant(
        "a column too few in the entry",
        "superpos/exact/plan.py",
        "S = (z - 1) * (k - 1) + 1",
        "S = max(1, (z - 1) * (k - 1))",
        (f"{PLANS}::test_the_entry_is_the_shortest",),
    ),
    Mutant(
        "codes of low degree only",
        "superpos/exact/plan.py",
        "for k in range(2, T.bit_length() + 2):",
        "for k in range(2, 3):",
        (f"{PLANS}::test_the_entry_is_the_shortest",),
    ),
    Mutant(
        "the search for q begins late",
        "superpos/exact/plan.py",
        "round(T ** (1 / k)) - 1)",
        "round(T ** (1 / k)) + 2)",
        (f"{PLANS}::test_the_entry_is_the_shortest",),
    ),
    Mutant(
        "the first way to take circuits out",
        "superpos/exact/plan.py",
        "return min(takes, key=lambda p: (p.D, p.extra, p.take))",
        "return next(takes)",
        (f"{PLANS}::test_the_plan_is_the_best_of_all",),
    ),
    Mutant(
        "as deep as may be",
        "superpos/exact/plan.py",
        "(p.D, p.extra, p.take)",
        "(p.D, -p.extra, p.take)",
        (f"{PLANS}::test_the_plan_is_the_best_of_all",),
    ),
    Mutant(
        "one neuron more than there is",
        "superpos/exact/plan.py",
        "_narrowest(T, d, z, lanes, constant).D <= D else",
        "_narrowest(T, d, z, lanes, constant).D <= D + 1 else",
        (f"{PLANS}::test_a_width_holds_what_it_says",),
    ),
    Mutant(
        "what one lane holds is not said",
        "superpos/exact/plan.py",
        'holds += f", and {_held(d, z, 1, constant, D)}',
        'holds += f", and {_held(d, z, side, constant, D)}',
        (f"{REFUSALS}::test_what_a_refusal_says_works",),
    ),
    Mutant(
        "ties of three only",
        "superpos/exact/layers.py",
        'self.bias("tie")[:] = 1 - 2 * keys.B',
        'self.bias("tie")[:] = 1 - 3 * keys.B',
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "keys that outlive their circuit",
        "superpos/exact/layers.py",
        'a["key"] - 4 * keys.B * where',
        'a["key"] - keys.B / 4 * where',
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "states that outlive their key",
        "superpos/exact/layers.py",
        '"state": a["state"] - keys.K * where[..., None]',
        '"state": a["state"]',
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "two slots at once",
        "superpos/exact/layers.py",
        "key[..., None] - 2 * p",
        "key[..., None] - p",
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "a slot that hides itself",
        "superpos/exact/layers.py",
        "torch.cat([torch.zeros_like(key[:, :1]), key[:, :-1].cumsum(dim=1)], dim=1)",
        "key.cumsum(dim=1)",
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "states of all slots",
        "superpos/exact/layers.py",
        "state[..., number, None] - self.keys.K / self.keys.B * p",
        "state[..., number, None] - 0 * p",
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "smaller keys match",
        "superpos/exact/layers.py",
        '"match": -a["above"] - a["below"]',
        '"match": -a["above"]',
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "the key of the first place",
        "superpos/exact/layers.py",
        'key = a["list"][:, -1, -1:] + apart',
        'key = a["list"][:, 0, -1:] + apart',
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "all are listed in one place",
        "superpos/exact/layers.py",
        "out[:, -1, list(collects)] =",
        "out[:, 0, list(collects)] =",
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "numbers in the wrong order",
        "superpos/exact/layers.py",
        "for number in self.takes:",
        "for number in sorted(self.takes):",
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "biases in single precision",
        "superpos/exact/layers.py",
        "torch.zeros(self.width, dtype=torch.float64)",
        "torch.zeros(self.width, dtype=torch.float32)",
        (f"{LAYERS}::test_keys_at_the_limit_of_the_number_format",),
    ),
    Mutant(
        "a matrix without its bias",
        "superpos/exact/layers.py",
        "return self.leaves.join(self.linear(self.reads.split(unit))).mT.contiguous(), self.b",
        "return self.leaves.join(self.linear(self.reads.split(unit))).mT.contiguous(), 0 * self.b",
        (f"{EXACT}::test_the_layers_are_the_matrices",),
    ),
    Mutant(
        "wires of one's own count",
        "superpos/exact/gates.py",
        "return wires @ (1 - own).mT",
        "return wires @ own.mT",
        (f"{LAYERS}::test_wires_are_different_halves",),
    ),
    Mutant(
        "sets of wires that repeat",
        "superpos/exact/gates.py",
        "islice(combinations(range(wires), wires // 2), n)",
        "islice((c for c in combinations(range(wires), wires // 2) for _ in range(2)), n)",
        (f"{LAYERS}::test_wires_are_different_halves",),
    ),
    Mutant(
        "stairs that begin one late",
        "superpos/exact/gates.py",
        "1 - keys.B - n * torch.arange(n)",
        "-keys.B - n * torch.arange(n)",
        (f"{LAYERS}::test_every_key_becomes_its_wires",),
    ),
    Mutant(
        "every pass runs the first places",
        "superpos/exact/gates.py",
        "places[:, self.first : self.first + R]",
        "places[:, :R]",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "every pass is written to the first places",
        "superpos/exact/gates.py",
        "done[:, self.first - R : self.first, :-1]",
        "done[:, :R, :-1]",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "steps that are half on",
        "superpos/exact/gates.py",
        'self.bias("step i")[:] = 1.0',
        'self.bias("step i")[:] = 0.5',
        (f"{LAYERS}::test_every_key_becomes_its_wires",),
    ),
    Mutant(
        "an empty place is circuit 0",
        "superpos/exact/gates.py",
        "+ n * c[..., 1:].sum(dim=-1) - c[..., 0]",
        "+ n * c[..., 1:].sum(dim=-1)",
        (f"{LAYERS}::test_a_place_without_a_circuit_stays_empty",),
    ),
    Mutant(
        "a first difference",
        "superpos/exact/gates.py",
        "u[..., : self.n] - 2 * u[..., 1 : self.n + 1] + u[..., 2:]",
        "u[..., : self.n] - u[..., 1 : self.n + 1]",
        (f"{LAYERS}::test_every_key_becomes_its_wires",),
    ),
    Mutant(
        "a constant that is j + 1",
        "superpos/exact/gates.py",
        "(u[..., :1] - u[..., 1:2])",
        "u[..., :1]",
        (f"{LAYERS}::test_every_place_has_its_lane",),
    ),
    Mutant(
        "states on every slot",
        "superpos/exact/gates.py",
        'lost = self.keys.K * wrong(a["wire i"], self.own)',
        'lost = 0 * wrong(a["wire i"], self.own)',
        (f"{LAYERS}::test_every_place_has_its_lane",),
    ),
    Mutant(
        "inputs that are not lowered again",
        "superpos/exact/cells.py",
        "state = state - self.shift * one",
        "state = state + 0 * one",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "gates of the source",
        "superpos/exact/cells.py",
        'a["wire i" if self.back else "wire j"]',
        'a["wire j" if self.back else "wire i"]',
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "raised where it was, not where it is",
        "superpos/exact/cells.py",
        "self.lift * total if self.lift",
        "self.lift * one if self.lift",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "gates for small activations",
        "superpos/exact/cells.py",
        "return bound * norm + max(abs(end.item()) for end in biases.aminmax())",
        "return norm + max(abs(end.item()) for end in biases.aminmax())",
        (f"{LAYERS}::test_two_lanes_by_hand",),
    ),
    Mutant(
        "gates for circuits without biases",
        "superpos/exact/cells.py",
        "return bound * norm + max(abs(end.item()) for end in biases.aminmax())",
        "return bound * norm",
        (f"{LAYERS}::test_one_lane_by_hand",),
    ),
    Mutant(
        "raised states are louder than what silences them",
        "superpos/exact/build.py",
        "heard(w, b, SLACK * bound) + lift + 1",
        "heard(w, b, SLACK * bound) + 1",
        (f"{EXACT}::test_states_that_are_raised_are_silenced_too",),
    ),
    Mutant(
        "only the first circuits are heard",
        "superpos/exact/cells.py",
        "for rows in some]",
        "for rows in some[:1]]",
        (f"{EXACT}::test_the_loudest_circuit_is_the_last",),
    ),
    Mutant(
        "biases below 0 are not heard",
        "superpos/exact/cells.py",
        "max(abs(end.item()) for end in biases.aminmax())",
        "biases.max().item()",
        (f"{EXACT}::test_the_loudest_circuit_is_the_last",),
    ),
    Mutant(
        "nothing is rounded while it waits",
        "superpos/exact/network.py",
        "raised = self.shift if layer == 0 else self._lift",
        "raised = self.shift if layer == 0 else 0.0",
        (f"{EXACT}::test_rounding_of_what_waits",),
    ),
    Mutant(
        "one slot is silenced at a time",
        "superpos/exact/build.py",
        "if not largest * plan.n < torch.finfo(dtype).max:",
        "if not largest < torch.finfo(dtype).max:",
        (f"{REFUSALS}::test_numbers_that_cannot_count",),
    ),
    Mutant(
        "a single circuit without its biases",
        "superpos/exact/cells.py",
        "told += torch.einsum(",
        "told -= torch.einsum(",
        (f"{EXACT}::test_all_sets_of_mlps[1-2-2-1-1-True]", f"{EXACT}::test_all_sets_of_mlps[1-2-2-1-1-False]"),
    ),
    Mutant(
        "large entries of no degree above four",
        "superpos/exact/plan.py",
        "for k in range(2, T.bit_length() + 2):",
        "for k in range(2, 5 if T > 1001 else T.bit_length() + 2):",
        (f"{PLANS}::test_the_entry_is_the_shortest",),
    ),
    Mutant(
        "large entries of too many elements",
        "superpos/exact/plan.py",
        "round(T ** (1 / k)) - 1)",
        "round(T ** (1 / k)) + (T > 1001))",
        (f"{PLANS}::test_the_entry_is_the_shortest",),
    ),
    Mutant(
        "two raised states are louder than what silences them",
        "superpos/exact/build.py",
        "Keys(n * n, 4 * far + 1)",
        "Keys(n * n, far / 2)",
        (f"{LAYERS}::test_every_slot_holds_one_and_every_round_takes_one",),
    ),
    Mutant(
        "layers that all go one way",
        "superpos/exact/build.py",
        "back=l % 2 == 1,",
        "back=False,",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "lowered in every layer",
        "superpos/exact/build.py",
        "shift=far if raised and l == 0 else 0.0",
        "shift=far if raised else 0.0",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "cut off in silence",
        "superpos/exact/build.py",
        "SLACK**2 * (bound or 0.0)",
        "SLACK * (bound or 0.0)",
        (f"{REFUSALS}::test_outputs_that_wait_are_activations_too",),
    ),
    Mutant(
        "circuits on the last pairs of slots",
        "superpos/exact/build.py",
        "cells[: len(values)] = values",
        "cells[-len(values) :] = values",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "circuits that are kept",
        "superpos/exact/build.py",
        "return values.clone(memory_format=torch.contiguous_format).unflatten(0, (n, n))",
        "return values.unflatten(0, (n, n))",
        (f"{EXACT}::test_the_circuits_are_not_kept",),
    ),
    Mutant(
        "circuits that lie as they were given",
        "superpos/exact/build.py",
        "values.clone(memory_format=torch.contiguous_format)",
        "values.clone()",
        (f"{EXACT}::test_circuits_however_they_lie_in_memory",),
    ),
    Mutant(
        "only circuits one after the other are heard",
        "superpos/exact/cells.py",
        "(rows.abs().flatten(0, 1) @ ones)",
        "(rows.abs().view(-1, d) @ ones)",
        (f"{EXACT}::test_circuits_however_they_lie_in_memory",),
    ),
    Mutant(
        "copies that are added up",
        "superpos/exact/network.py",
        "own & (own.cumsum(dim=2) == 1)",
        "own",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "a key between two circuits",
        "superpos/exact/network.py",
        "torch.where(t == t.floor(), t, NOBODY)",
        "t",
        (f"{EXACT}::test_what_names_no_circuit_is_not_read",),
    ),
    Mutant(
        "a pair of slots without a circuit",
        "superpos/exact/network.py",
        "return circuit.masked_fill(circuit >= self.T, NOBODY), state",
        "return circuit, state",
        (f"{EXACT}::test_what_names_no_circuit_is_not_read",),
    ),
    Mutant(
        "keys that begin at 0",
        "superpos/exact/network.py",
        "key = (self.plan.n**2 + active).to(inputs)",
        "key = active.to(inputs)",
        (f"{EXACT}::test_all_sets_of_mlps",),
    ),
    Mutant(
        "answers without a lane",
        "superpos/exact/network.py",
        "estimates[1:].where(live[..., None], 0.0)",
        "estimates[1:]",
        (f"{EXACT}::test_run_says_what_the_matrices_do",),
    ),
    Mutant(
        "outputs that wait are free",
        "superpos/exact/network.py",
        "free = self.plan.passes == 1 and not last[-1].relu",
        "free = not last[-1].relu",
        (f"{REFUSALS}::test_outputs_that_wait_are_activations_too",),
    ),
    Mutant(
        "held where it was at first",
        "superpos/exact/network.py",
        "[step % 2]",
        "[0]",
        (f"{EXACT}::test_neurons_that_hold_a_circuit",),
    ),
    Mutant(
        "a network that is read too soon",
        "superpos/exact/network.py",
        "if layer not in (0, *self.depths):",
        "if layer < 0:",
        (f"{REFUSALS}::test_a_network_that_waits_is_read_at_the_end",),
    ),
    Mutant(
        "matrices of too coarse numbers",
        "superpos/exact/network.py",
        "        check_keys(self.sets.dtype, self.plan)\n        return super().dense()",
        "        return super().dense()",
        (f"{REFUSALS}::test_numbers_that_cannot_count",),
    ),
    Mutant(
        "gates that are not looked at",
        "superpos/exact/network.py",
        "return told and all((c.C or 0.0) >= max(most, 1.0) for c, most in cells)",
        "return told",
        (f"{EXACT}::test_what_silences_is_large_enough",),
    ),
    Mutant(
        "all wires on are every slot's",
        "superpos/exact/reading.py",
        "    own &= wires.sum(dim=-1, keepdim=True) == half\n",
        "",
        (f"{LAYERS}::test_wires_are_different_halves",),
    ),
    Mutant(
        "half a wire",
        "superpos/exact/reading.py",
        "own = (wires @ sets.mT == half) & ((wires == 0) | (wires == 1)).all(dim=-1, keepdim=True)",
        "own = wires @ sets.mT == half",
        (f"{LAYERS}::test_wires_are_different_halves",),
    ),
    Mutant(
        "one lane more than there is",
        "superpos/exact/reading.py",
        "& (before < z)",
        "& (before <= z)",
        (f"{EXACT}::test_run_says_what_the_matrices_do",),
    ),
    Mutant(
        "two may share a slot",
        "superpos/exact/reading.py",
        ".sum(dim=2) > 1  # batch, circuit, column",
        ".sum(dim=2) > 2  # batch, circuit, column",
        (f"{EXACT}::test_run_says_what_the_matrices_do",),
    ),
    Mutant(
        "the last slots first",
        "superpos/exact/reading.py",
        ".amin(dim=2)\n",
        ".amin(dim=2).neg()\n",
        (f"{EXACT}::test_those_on_the_first_slots_have_a_lane",),
    ),
    Mutant(
        "biases of nobody",
        "superpos/exact/reading.py",
        " | (number == d))",
        ")",
        (f"{EXACT}::test_padding_and_circuits_that_are_not_there_own_nothing",),
    ),
    Mutant(
        "weights of the way back",
        "superpos/exact/reading.py",
        "t = to * n + source if cell.back else source * n + to",
        "t = source * n + to",
        (f"{EXACT}::test_a_weight_belongs_to_one_circuit",),
    ),
    Mutant(
        "weights between lanes",
        "superpos/exact/reading.py",
        " & (lane == source_lane)",
        "",
        (f"{EXACT}::test_a_weight_belongs_to_one_circuit",),
    ),
    Mutant(
        "padding of a cell that is owned",
        "superpos/exact/reading.py",
        "mine = own[step + 1, t, c.clamp_max(d - 1)] &",
        "mine = (c < d) &",
        (f"{EXACT}::test_padding_and_circuits_that_are_not_there_own_nothing",),
    ),
    Mutant(
        "places of the list that hold nobody",
        "superpos/exact/reading.py",
        'elif name in ("list", "waiting"):',
        'elif name == "waiting":',
        (f"{EXACT}::test_neurons_that_hold_a_circuit",),
    ),
    Mutant(
        "activations beyond the bound",
        "superpos/exact/limits.py",
        "    if not largest <= SLACK * bound:",
        "    if largest > 10 * SLACK * bound:",
        (f"{REFUSALS}::test_activations_beyond_the_bound",),
    ),
    Mutant(
        "products in TF32",
        "superpos/exact/limits.py",
        'coarse != "highest"',
        'coarse == "medium"',
        (f"{REFUSALS}::test_coarse_products_are_refused_where_there_are_keys",),
    ),
    Mutant(
        "products in TF32 on one device",
        "superpos/exact/limits.py",
        'coarse = "mixed"',
        'coarse = "highest"',
        (f"{REFUSALS}::test_coarse_products_of_one_device_are_refused",),
    ),
    Mutant(
        "products under autocast",
        "superpos/exact/limits.py",
        "if keyed and torch.is_autocast_enabled(like.device.type):",
        "if False:",
        (f"{REFUSALS}::test_autocast_is_refused_where_there_are_keys",),
    ),
    Mutant(
        "negative inputs",
        "superpos/exact/limits.py",
        "inputs.min() < 0:",
        "inputs.min() < -1:",
        (f"{REFUSALS}::test_negative_inputs_where_none_were_to_be",),
    ),
    Mutant(
        "keys that a format does not hold",
        "superpos/exact/limits.py",
        "if plan.z > 1 and plan.n > most:",
        "if plan.z > 1 and plan.n > 2 * most:",
        (f"{REFUSALS}::test_numbers_that_cannot_count",),
    ),
    Mutant(
        "infinity says what 0 says",
        "superpos/codes/polynomials.py",
        "values = torch.cat([values, digits[-1][..., None]], dim=-1)",
        "values = torch.cat([values, digits[0][..., None]], dim=-1)",
        ("tests/test_codes.py::test_two_circuits_share_few_slots",),
    ),
    Mutant(
        "more columns than points",
        "superpos/codes/polynomials.py",
        "min(factors(q), default=1) + 1",
        "min(factors(q), default=1) + 2",
        ("tests/test_codes.py::test_polynomials_by_hand",),
    ),
    Mutant(
        "columns that overlap",
        "superpos/codes/polynomials.py",
        "(torch.arange(S) * q + values)",
        "(torch.arange(S) * (q - 1) + values)",
        ("tests/test_codes.py::test_two_circuits_share_few_slots",),
    ),
    Mutant(
        "polynomials that do not exist",
        "superpos/codes/polynomials.py",
        "0 <= int(t.min()) <= int(t.max()) < q**k",
        "0 <= int(t.min()) <= int(t.max()) <= q**k",
        ("tests/test_codes.py::test_polynomials_by_hand",),
    ),
    Mutant(
        "powers of the field of q",
        "superpos/codes/polynomials.py",
        "ring.point(s) for s in",
        "s for s in",
        ("tests/test_codes.py::test_of_z_circuits_each_is_alone_somewhere",),
    ),
    Mutant(
        "a promise of the whole plan",
        "superpos/exact/sizes.py",
        'of larger ones every answer that is not flagged", 1 - served)',
        'of larger ones every answer that is not flagged", 0.0)',
        ("tests/test_compression.py::test_more_than_it_was_made_for",),
    ),
    Mutant(
        "raised though nothing is negative",
        "superpos/exact/network.py",
        "if self.plan.entry is None or self.nonnegative:",
        "if self.plan.entry is None:",
        (f"{EXACT}::test_circuits_without_a_constant",),
    ),
    Mutant(
        "rounding that adds up",
        "superpos/exact/cells.py",
        'told = torch.einsum(f"{pair}od,brmd->brno", weights, state)',
        'told = (1 + 2e-6) * torch.einsum(f"{pair}od,brmd->brno", weights, state)',
        (f"{EXACT}::test_200_layers_do_not_grow",),
    ),
    Mutant(
        "weights of its own for every pass",
        "superpos/exact/build.py",
        "                stacks[0][l],\n",
        "                nn.Parameter(stacks[0][l].clone(), requires_grad=False),\n",
        (f"{EXACT}::test_all_lanes_and_passes_share_their_weights",),
    ),
    Mutant(
        "lanes whose wires are not looked at",
        "superpos/exact/reading.py",
        "own = (wires @ sets.mT == half)",
        "own = (wires @ sets.mT >= 0)",
        (f"{EXACT}::test_an_inactive_circuit_reads_zero",),
    ),
    Mutant(
        "rounds without their numbers",
        "superpos/exact/sizes.py",
        'return f"{self.kind} {self.number}" if self.number else self.kind',
        "return self.kind",
        (f"{LAYERS}::test_a_run_that_is_stepped_through_says_what_it_is_at",),
    ),
    Mutant(
        "more lanes than circuits",
        "superpos/exact/plan.py",
        'check_count("lanes", side, at_most=z,',
        'check_count("lanes", side, at_most=9,',
        (f"{REFUSALS}::test_refused",),
    ),
    Mutant(
        "inputs that are raised by less than they reach",
        "superpos/exact/build.py",
        "SLACK * (reach or 0.0)",
        "(reach or 0.0) / 2",
        (f"{REFUSALS}::test_inputs_up_to_the_bound_and_its_slack",),
    ),
    Mutant(
        "layers without a bound",
        "superpos/exact/network.py",
        'check_known(self.bound, "encode")',
        "pass",
        (f"{REFUSALS}::test_without_a_bound",),
    ),
    # Owners.
    Mutant(
        "gates that are owned",
        "superpos/exact/reading.py",
        "known = within & (t < T) & (c < d)",
        "known = within & (t < T) & (c <= d)",
        ("tests/test_compression.py::test_padding_has_no_owner",),
    ),
    Mutant(
        "padding that is owned",
        "superpos/compression/large.py",
        "held = number < widths",
        "held = number < self.network.d",
        ("tests/test_compression.py::test_padding_has_no_owner",),
    ),
    Mutant(
        "one owner of a shared weight",
        "superpos/blocks.py",
        "torch.where(count[pair] > 1, SEVERAL, one[pair])",
        "one[pair]",
        ("tests/test_compression.py::test_padding_has_no_owner_where_weights_are_shared",),
    ),
    # The certificate and the choice.
    Mutant(
        "a certificate that always holds",
        "superpos/compression/certificate.py",
        "return not self.itself and not self.faults",
        "return True",
        ("tests/test_certificate.py::test_a_construction_without_proof_fails",),
    ),
    Mutant(
        "a file that proves itself",
        "superpos/compression/certificate.py",
        "return not self.itself and not self.faults",
        "return not self.faults",
        ("tests/test_certificate.py::test_a_file_held_against_itself_proves_nothing",),
    ),
    Mutant(
        "modules that never ran",
        "superpos/compression/certificate.py",
        "lambda m: m.samples <= m.missing",
        "lambda m: False",
        ("tests/test_certificate.py::test_modules_that_samples_leave_out_are_counted",),
    ),
    Mutant(
        "an unproved error that is not looked at",
        "superpos/compression/certificate.py",
        "if not last.relative <= self.tolerance + least:",
        "if not last.relative <= 1 + least:",
        ("tests/test_certificate.py::test_a_tolerance_that_is_not_kept_to",),
    ),
    Mutant(
        "precision that is never too coarse",
        "superpos/compression/evidence.py",
        "coarse = ~((may <= CAP * size) & (has <= CAP * own)).all(dim=0)",
        "coarse = torch.zeros_like(alive, dtype=torch.bool)",
        ("tests/test_certificate.py::test_half_precision_proves_nothing",),
    ),
    Mutant(
        "only the first layer of weights",
        "superpos/exact/network.py",
        "        for l, cell in enumerate(self.cells):\n            w, b",
        "        for l, cell in enumerate(self.cells[:1]):\n            w, b",
        ("tests/test_certificate.py::test_a_weight_is_compared_wherever_it_stands",),
    ),
    Mutant(
        "active networks without an answer",
        "superpos/compression/certificate.py",
        "if not (self.active > self.z or found == 0):",
        "if found > 1:",
        ("tests/test_certificate.py::test_answers_that_go_missing",),
    ),
    Mutant(
        "gates that are taken as they are",
        "superpos/compression/evidence.py",
        "gated=core.gated,",
        "gated=True,",
        ("tests/test_certificate.py::test_gates_that_are_too_weak_for_the_proof",),
    ),
    Mutant(
        "layers in numbers that do not hold keys",
        "superpos/exact/limits.py",
        "    check_keys(like.dtype, plan)\n",
        "",
        ("tests/test_certificate.py::test_half_precision_that_does_not_hold_keys_is_refused",),
    ),
    Mutant(
        "no bisection in the choice",
        "superpos/compression/choice.py",
        "while n - wrong > max(1, n // 50):",
        "while False:",
        ("tests/test_choice.py",),
    ),
    # Modules.
    Mutant(
        "a module that stands twice counts once",
        "superpos/circuits/chains.py",
        "    for name, layer in module._modules.items():\n        yield from _flat",
        "    for name, layer in module.named_children():\n        yield from _flat",
        ("tests/test_modules_as_run.py::test_taken",),
    ),
    Mutant(
        "modules that are not compared",
        "superpos/circuits/running.py",
        "wrong = ~((y - truth).abs() <= rounding)",
        "wrong = ~((y - truth).abs() <= torch.inf)",
        ("tests/test_modules_as_run.py::test_changed",),
    ),
    Mutant(
        "a normalisation without its epsilon",
        "superpos/circuits/chains.py",
        "(var.double() + norm.eps).rsqrt()",
        "var.double().rsqrt()",
        ("tests/test_modules_as_run.py::test_taken",),
    ),
    Mutant(
        "dropout that is passed over while it trains",
        "superpos/circuits/chains.py",
        "layer.training and layer.p > 0",
        "False",
        ("tests/test_modules_as_run.py::test_unknown",),
    ),
    # Files, rows and what is replaced.
    Mutant(
        "numbers that were not saved",
        "superpos/compression/files.py",
        'if "digest" in metadata and metadata["digest"] != digest(tensors, metadata["about"]):',
        "if False:",
        ("tests/test_files.py::test_a_number_that_was_not_saved",),
    ),
    Mutant(
        "numbers that are not finite",
        "superpos/compression/files.py",
        '    if wrong := infinite(tensors):\n        raise ValueError(f"network',
        '    if wrong := "":\n        raise ValueError(f"network',
        ("tests/test_files.py::test_a_network_with_a_number_that_is_not_finite_is_not_saved",),
    ),
    Mutant(
        "an outdated file is a damaged one",
        "superpos/compression/files.py",
        "    if outdated:\n",
        "    if False:\n",
        ("tests/test_files.py::test_an_exact_network_of_version_1_has_to_be_made_again",),
    ),
    Mutant(
        "what cannot be read again is saved",
        "superpos/compression/files.py",
        "        _rebuild(json.loads(about), tensors)\n",
        "        pass\n",
        ("tests/test_files.py::test_a_network_that_could_not_be_read_again_is_not_saved",),
    ),
    Mutant(
        "biases without a constant that carries them",
        "superpos/exact/build.py",
        "if not plan.constant and (",
        "if False and (",
        ("tests/test_files.py::test_what_is_wrong_in_a_file_is_named",),
    ),
    Mutant(
        "neurons of any layer",
        "superpos/compression/large.py",
        '        _check_index("l", l, most + 1,',
        '        str("l"), (l, most + 1,',
        ("tests/test_compression.py::test_bad_batches_are_refused",),
    ),
    Mutant(
        "layers that do not follow one another",
        "superpos/compression/reading.py",
        "        if ends[i][1] != ends[j][0]:",
        "        if False:",
        ("tests/test_files.py::test_what_is_not_told_is_refused",),
    ),
    Mutant(
        "folders of others that are replaced",
        "superpos/writing.py",
        "    others = sorted(there - ours)",
        "    others = []",
        ("tests/test_writing.py::test_a_folder_with_anything_else_in_it_is_not",),
    ),
    Mutant(
        "permissions of a temporary file",
        "superpos/writing.py",
        "        os.chmod(file, mode)",
        "        os.chmod(file, 0o600)",
        ("tests/test_writing.py::test_permissions_are_those_of_the_umask",),
    ),
    Mutant(
        "rows of any measure",
        "superpos/sweep/rows.py",
        "for name in (*names, SEED, MEASURE))",
        "for name in (*names, SEED))",
        ("tests/test_rows.py",),
    ),
    Mutant(
        "an exit code that is always 0",
        "superpos/__main__.py",
        "        return FAILS\n",
        "        return OK\n",
        ("tests/test_compression.py::test_the_command_line",),
    ),
    # Claims and chapters in a notebook.
    Mutant(
        "a failing claim that only warns, whoever runs the notebook",
        "superpos/show/claims.py",
        'return bool(request.get("content", {}).get("allow_stdin"))',
        "return bool(request)",
        ("tests/test_claims.py::test_programs_that_run_a_notebook_are_stopped",),
    ),
    Mutant(
        "a failing claim that only warns, in the build",
        "superpos/show/claims.py",
        " and not os.environ.get(mime.STATIC)",
        "",
        ("tests/test_claims.py::test_the_build_is_stopped_whoever_asks",),
    ),
    Mutant(
        "a source that is written over by what is shown for it",
        "book/_ext/chapters/cells.py",
        'if cell.cell_type != "markdown" or cell.source != mine["shown"]:',
        "if False:",
        ("tests/test_lab_files.py::test_a_cell_that_is_shown_plain_is_not_written_over",),
    ),
    Mutant(
        "options of a cell that are written anew",
        "book/_ext/chapters/cells.py",
        "changed = head + cell.source + tail",
        "changed = None",
        ("tests/test_lab_files.py::test_a_changed_code_cell_alone_changes",),
    ),
    Mutant(
        "a submission beaten by what has more at work",
        "superpos/apart/levels.py",
        " and k.l0.value <= s.l0.value",
        "",
        ("tests/test_submissions.py::test_only_what_is_beaten_has_a_mark",),
    ),
    Mutant(
        "a bed without an answer shown like the others",
        "superpos/apart/levels.py",
        '"" if of.identifiable',
        '"" if True',
        ("tests/test_submissions.py::test_a_bed_without_an_answer_to_be_found_is_said_to_be_one",),
    ),
    Mutant(
        "the control of a submission is the submission itself",
        "superpos/apart/submissions.py",
        '_over(control, "r2")',
        '_over(seeds, "r2")',
        ("tests/test_submissions.py::test_seeds_are_averaged_and_the_control_stands_beside_them",),
    ),
    Mutant(
        "a start near a cut is far from it",
        "superpos/apart/starts.py",
        "noise * F.norm",
        "F.norm",
        ("tests/test_submissions.py::test_a_start_at_a_cut_is_that_cut",),
    ),
    Mutant(
        "a control that is only shuffled",
        "superpos/beds/part.py",
        "for _ in range(_ROUNDS):",
        "for _ in range(0):",
        ("tests/test_beds.py::test_the_control_has_the_same_numbers_elsewhere",),
    ),
    Mutant(
        "a price of components that leaves out their size",
        "superpos/apart/costs.py",
        "* size**options.q",
        "",
        ("tests/test_submissions.py::test_costs_of_what_is_known",),
    ),
    Mutant(
        "the masks of the pieces of a component in another order",
        "superpos/apart/apd.py",
        "on.repeat_interleave(self.options.rank, dim=2)",
        "on.repeat(1, 1, self.options.rank)",
        ("tests/test_apart.py::test_a_mask_is_that_of_all_pieces_of_a_component",),
    ),
    Mutant(
        "components that are trained with their gates",
        "superpos/apart/spd.py",
        "if components else gates",
        "if True else gates",
        ("tests/test_apart.py::test_gates_alone_are_trained_where_components_are_held",),
    ),
)

if __name__ == "__main__":
    sys.exit(main())
