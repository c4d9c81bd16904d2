"""Train the networks that ship with the book: superpos/data/trained.npz and inseparable.npz.

    python scripts/train.py inseparable   # about a minute on one core; the same bytes each time on one machine
    pip install -e '.[train]'             # scikit-learn, for its data sets; -e, as it is read back from this tree
    python scripts/train.py separable     # about two minutes on two cores

Tasks. Rows of each class of two data sets (digits, breast cancer) are split once: a third is held out. A separable task
is some classes of one data set and k features, all tasks distinct. Features are chosen on training rows: one after
another, each the best of a random half of the columns by Wilks' lambda, det(scatter within classes)/det(scatter).

An inseparable task compares two rows of one data set, both held out or neither: are they alike in a few directions? The
directions are drawn at random among the principal components of that data set (20 of the digits, 12 of the tumours),
each with variance 1 over the training rows. It is made of the table in trained.npz.

Training. All circuits of a kind at once, by Adam on a hinge loss with margin 1 and weight decay, with Gaussian noise of
standard deviation 0.3 on the input of every layer and on every pre-activation: the large network will add noise there.
Of the circuits with separable tasks more are trained than kept: those with the best accuracy on their training rows.
Of the others all that are trained are kept. ReLU(c·x) = c·ReLU(x), so
the scale between w_in and w_out is free: it is set such that the mean squared row of w_in is 1 before that choice.
Weights are rounded to 16 bits.
"""

import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor, einsum
from torch.nn.utils.rnn import pad_sequence

from superpos.circuits import Kind, MLPCircuits, ResidualCircuits, trained
from superpos.circuits.likeness import Likeness
from superpos.circuits.trained import Tasks, likeness, tasks
from superpos.writing import written

KEPT, BATCH, STEPS, NOISE, DECAY, SEED = 1024, 64, 600, 0.3, 0.03, 2024
DATA = Path(__file__).parent.parent / "superpos" / "data"
CANCER = (10, 11)  # its two classes, after the ten digits
# Of each data set: its columns, the principal components that are taken, and the pairs to train on and to hold out.
SETS = ((slice(0, 64), 20, (2400, 1600)), (slice(64, 94), 12, (1600, 1000)))


def table(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Both data sets in one table, block diagonal, with the rows that are held out."""
    # Here, so that the other tasks, made of this table as it ships, do not need it.
    from sklearn.datasets import load_breast_cancer, load_digits  # pyright: ignore[reportMissingImports]

    digits, cancer = load_digits(), load_breast_cancer()
    values = np.zeros((len(digits.data) + len(cancer.data), 64 + 30), np.float16)
    values[: len(digits.data), :64] = digits.data
    values[len(digits.data) :, 64:] = cancer.data
    row_class = np.concatenate([digits.target, 10 + cancer.target]).astype(np.int8)
    held_out = np.zeros(len(values), bool)
    for c in range(12):
        rows = rng.permutation(np.flatnonzero(row_class == c))
        held_out[rows[: len(rows) // 3]] = True
    return {
        "values": values,
        "row_class": row_class,
        "held_out": held_out,
        "class_names": np.array([f"digit {c}" for c in range(10)] + ["malignant tumour", "benign tumour"]),
        "column_names": np.array([f"pixel ({i // 8}, {i % 8})" for i in range(64)] + list(cancer.feature_names)),
    }


def choose(stored: dict, kind: str, wanted: list[tuple[int, ...]], k: int, rng: np.random.Generator) -> None:
    """Add tasks to `stored`: for each tuple of classes k features, a different choice each time."""
    chosen: dict[tuple, tuple] = {}  # (classes, features) → (mean, scale)
    for classes in wanted:
        train = np.isin(stored["row_class"], classes) & ~stored["held_out"]
        v, labels = stored["values"][train].astype(np.float64), stored["row_class"][train]
        mean, scale = v.mean(0), v.std(0)
        usable = np.flatnonzero(scale > 0.1 * v.max(0))
        x = (v - mean) / np.where(scale > 0, scale, 1)
        centred = np.concatenate([x[labels == c] - x[labels == c].mean(0) for c in classes])
        while (task := (classes, grow(centred.T @ centred, x.T @ x, usable, k, rng))) in chosen:
            pass
        chosen[task] = mean[list(task[1])], scale[list(task[1])]
    most = max(map(len, wanted))
    stored[f"{kind}_classes"] = np.array([c + (-1,) * (most - len(c)) for c, _ in chosen], np.int8)
    stored[f"{kind}_features"] = np.array([f for _, f in chosen], np.int8)
    stored[f"{kind}_mean"] = np.array([m for m, _ in chosen.values()], np.float32)
    stored[f"{kind}_scale"] = np.array([s for _, s in chosen.values()], np.float32)


def grow(within: np.ndarray, total: np.ndarray, usable: np.ndarray, k: int, rng: np.random.Generator) -> tuple:
    """k columns, one after another: each the one with the least Wilks' lambda of a random half of those left."""
    features: list[int] = []
    for _ in range(k):
        left = rng.permutation(np.setdiff1d(usable, features))
        trial = np.array([[*features, f] for f in left[: len(left) // 2]])
        block = trial[:, :, None], trial[:, None, :]
        ridge = 0.05 * total.max() * np.eye(trial.shape[1])
        separation = np.linalg.slogdet(total[block] + ridge)[1] - np.linalg.slogdet(within[block] + ridge)[1]
        features = trial[separation.argmax()].tolist()
    return tuple(sorted(features))


def fit(
    task: Tasks | Likeness, run: Callable[[Tensor], Tensor], parameters: list[Tensor], steps: int, decay: float
) -> None:
    """Minimise hinge loss + decay for all circuits at once; `run` maps inputs (T, BATCH, d) to outputs."""
    active = torch.arange(task.T).expand(BATCH, -1)
    adam = torch.optim.Adam(parameters, lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for step in range(steps):
        inputs, labels = task.draw(active, seed=SEED + step)
        outputs = run(inputs.transpose(0, 1)).transpose(0, 1)
        loss = (1 - margin(task, outputs, labels)).relu().sum() / BATCH
        loss = loss + decay * sum((p**2).sum() for p in parameters)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()


def margin(task: Tasks | Likeness, outputs: Tensor, labels: Tensor) -> Tensor:
    """By how much the right answer wins; outputs (B, T, d), labels (B, T)."""
    if isinstance(task, Likeness) or task.sign:
        return labels * outputs[..., -1]
    scores = outputs[..., : task.classes.shape[1]].masked_fill(task.classes < 0, -torch.inf)
    right = labels[..., None]
    return scores.gather(-1, right)[..., 0] - scores.scatter(-1, right, -torch.inf).amax(-1)


def noisy(x: Tensor, g: torch.Generator) -> Tensor:
    return x + NOISE * torch.randn(x.shape, generator=g)


def train_residual(
    task: Tasks | Likeness, L: int, m: int, g: torch.Generator, steps: int = STEPS, decay: float = DECAY
) -> ResidualCircuits:
    T, d = task.T, task.d
    w_in = (torch.randn((L, T, m, d), generator=g) / d**0.5).requires_grad_()
    w_out = (0.3 * torch.randn((L, T, d, m), generator=g) / m**0.5).requires_grad_()
    bias = torch.zeros((L, T, m), requires_grad=True)

    def run(x: Tensor) -> Tensor:
        for read, write, b in zip(w_in, w_out, bias, strict=True):
            x = noisy(x, g)
            pre = noisy(einsum("tmd,tbd->tbm", read, x) + b[:, None], g)
            x = x + einsum("tdm,tbm->tbd", write, pre.relu())
        return x

    fit(task, run, [w_in, w_out, bias], steps, decay)
    c = w_in.detach().pow(2).sum(-1).mean().rsqrt()
    return ResidualCircuits(*(p.detach().half().float() for p in (c * w_in, w_out / c, c * bias)))


def train_mlp(
    task: Tasks | Likeness, L: int, g: torch.Generator, steps: int = STEPS, decay: float = DECAY
) -> MLPCircuits:
    T, d = task.T, task.d
    weights = (torch.randn((L, T, d, d), generator=g) * (2 / d) ** 0.5).requires_grad_()
    biases = torch.zeros((L, T, d), requires_grad=True)

    def run(x: Tensor) -> Tensor:
        for l in range(L):
            x = noisy(einsum("tij,tbj->tbi", weights[l], noisy(x, g)) + biases[l][:, None], g)
            x = x.relu() if l < L - 1 else x
        return x

    fit(task, run, [weights, biases], steps, decay)
    output = used(task)  # the others are 0
    w, b = weights.detach().half().float(), biases.detach().half().float()
    w[-1] *= output[..., None]
    b[-1] *= output
    return MLPCircuits(w, b, last_relu=False)


def used(task: Tasks | Likeness) -> Tensor:
    """Which of the d outputs of each MLP circuit are looked at, (T, d)."""
    if isinstance(task, Likeness) or task.sign:
        return (torch.arange(task.d) == task.d - 1).expand(task.T, -1)
    return torch.nn.functional.pad(task.classes >= 0, (0, task.d - task.classes.shape[1]))


def accuracy(task: Tasks | Likeness, circuits: MLPCircuits | ResidualCircuits) -> Tensor:
    """The fraction of the samples in the pool that each circuit, alone, answers rightly; (T,)."""
    samples = [task.samples(t) for t in range(task.T)]
    labels = pad_sequence([y for _, y in samples], padding_value=99)  # (most samples, T)
    active = torch.arange(task.T).expand(labels.shape)
    answers = task.answers(circuits.run(active, pad_sequence([x for x, _ in samples]))[-1], active)
    return (answers == labels).sum(0) / (labels < 99).sum(0)


def components(table: dict[str, np.ndarray], mine: np.ndarray, columns: slice, k: int) -> np.ndarray:
    """The first k principal components of some rows, each with mean 0 and variance 1 over those of training."""
    v, train = table["values"][mine][:, columns].astype(np.float64), ~table["held_out"][mine]
    mean, scale = v[train].mean(0), v[train].std(0)
    x = (v - mean) / np.where(scale > 0.1 * v[train].max(0), scale, np.inf)  # pixels that are nearly always empty: 0
    x = x @ np.linalg.svd(x[train], full_matrices=False)[2][:k].T
    return x / x[train].std(0)


def pairs(table: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The principal components of every row, block diagonal, and pairs of rows, both held out or neither."""
    components_of_all = np.zeros((len(table["values"]), sum(k for _, k, _ in SETS)), np.float16)
    chosen, pair_set, held_out, first = [], [], [], 0
    for s, (columns, k, counts) in enumerate(SETS):
        mine = np.flatnonzero((table["row_class"] >= CANCER[0]) == s)
        components_of_all[mine, first : first + k] = components(table, mine, columns, k)
        first += k
        for aside, count in zip((False, True), counts, strict=True):
            rows = mine[table["held_out"][mine] == aside]
            chosen += [rng.choice(rows, 2, replace=False) for _ in range(count)]
            pair_set += [s] * count
            held_out += [aside] * count
    return {
        "components": components_of_all,
        "pairs": np.array(chosen, np.int16),
        "pair_set": np.array(pair_set, np.int8),
        "held_out": np.array(held_out),
        "set_names": np.array(["two handwritten digits", "two tumours"]),
    }


def choose_directions(
    stored: dict, kind: str, T: int, i: int, radii: tuple[float, float], rng: np.random.Generator
) -> None:
    """Add T tasks to `stored`, two in three of the first data set: for each i random orthonormal directions."""
    ks = [k for _, k, _ in SETS]
    directions, task_set = np.zeros((T, i, sum(ks)), np.float16), (np.arange(T) % 3 == 2).astype(np.int8)
    for t, s in enumerate(task_set):
        first = sum(ks[:s])
        directions[t, :, first : first + ks[s]] = np.linalg.qr(rng.standard_normal((ks[s], i)))[0].T
    stored |= {f"{kind}_directions": directions, f"{kind}_set": task_set, f"{kind}_radii": np.array(radii)}


def save(name: str, stored: dict[str, np.ndarray]) -> None:
    DATA.mkdir(exist_ok=True)
    with written(DATA / f"{name}.npz", overwrite=True) as spare:
        np.savez_compressed(spare, allow_pickle=False, **stored)


def store(stored: dict, circuits: MLPCircuits | ResidualCircuits) -> None:
    """Add the weights of circuits of one kind to `stored`."""
    kind, names = (
        ("residual", ("w_in", "w_out", "bias"))
        if isinstance(circuits, ResidualCircuits)
        else ("mlp", ("weights", "biases"))
    )
    stored |= {f"{kind}_{name}": getattr(circuits, name).half().numpy() for name in names}


def separable() -> None:
    rng, g = np.random.default_rng(SEED), torch.Generator().manual_seed(SEED)
    stored = table(rng)
    groups = {size: list(itertools.combinations(range(10), size)) for size in (2, 3, 4)}  # 45, 120, 210
    choose(stored, "residual", groups[2] * 26 + [CANCER] * 110, 3, rng)
    choose(stored, "mlp", groups[2] * 8 + groups[3] * 3 + groups[4] + [CANCER] * 94, 8, rng)
    seen = {
        kind: replace(task, pool=~task.pool)
        for kind, task in (("residual", tasks(stored, "residual", 4)), ("mlp", tasks(stored, "mlp", 8)))
    }
    for kind, circuits in (
        ("residual", train_residual(seen["residual"], 2, 4, g)),
        ("mlp", train_mlp(seen["mlp"], 3, g)),
    ):
        best = accuracy(seen[kind], circuits).argsort(descending=True, stable=True)[:KEPT].numpy()
        best = rng.permutation(best)
        for key in ("classes", "features", "mean", "scale"):
            stored[f"{kind}_{key}"] = stored[f"{kind}_{key}"][best]
        store(stored, circuits[best.tolist()])
    save("trained", stored)


def inseparable() -> None:
    rng, g = np.random.default_rng(SEED), torch.Generator().manual_seed(SEED)
    with (DATA / "trained.npz").open("rb") as stream:
        stored = pairs(dict(np.load(stream, allow_pickle=False)), rng)
    choose_directions(stored, "residual", 1024, 3, (1.25, 1.75), rng)
    choose_directions(stored, "mlp", 272, 4, (1.55, 2.05), rng)
    residual, mlp = likeness(stored, "residual", 4), likeness(stored, "mlp", 8)
    store(stored, train_residual(replace(residual, pool=~residual.pool), 2, 4, g, 1500, 0.015))
    store(stored, train_mlp(replace(mlp, pool=~mlp.pool), 3, g, 1300, 0.005))
    save("inseparable", stored)


def main(kinds: Sequence[Kind]) -> None:
    for kind in kinds:
        {"separable": separable, "inseparable": inseparable}[kind]()
        mlp, residual, samples = trained(kind)
        for name, task, circuits in (("residual", samples.residual, residual), ("MLP", samples.mlp, mlp)):
            alone = accuracy(task, circuits)
            print(f"{name}: {len(alone)} circuits, held-out accuracy {alone.mean():.4f}, least {alone.min():.4f}")


if __name__ == "__main__":
    main([kind for kind in get_args(Kind) if kind in sys.argv[1:] or not sys.argv[1:]])
