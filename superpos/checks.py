"""Refusals: each names the argument, its value, what is allowed and, where there is one, what would work."""

import math

import torch
from torch import Tensor


def check_count(name: str, value: object, *, at_most: int | None = None, why: str = "") -> None:
    """Refuse anything but an integer in 1 … at_most: TypeError for another type, ValueError for another value."""
    _check_int(name, value)
    assert isinstance(value, int)
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be at least 1")
    if at_most is not None and value > at_most:
        raise ValueError(f"{name} is {value}; it must be at most {at_most}{': ' + why if why else ''}")


def check_copies(S: int, m: int, M: int) -> None:
    """Refuse counts for which the S·m neurons of one circuit are more than M."""
    for name, value in (("S", S), ("m", m), ("M", M)):
        check_count(name, value)
    if S * m > M:
        allowed = f"S is at most M // m = {M // m}" if m <= M else f"even S = 1 needs M ≥ {m}"
        raise ValueError(f"S is {S}: the S·m = {S * m} neurons of one circuit must fit in M = {M}; {allowed}")


def check_seed(name: str, value: object) -> None:
    """Refuse anything but an integer in 0 … 2⁶³ − 1."""
    _check_int(name, value)
    assert isinstance(value, int)
    if not 0 <= value < 2**63:
        raise ValueError(f"{name} is {value}; it must be an integer in 0 … 2**63 - 1")


def check_number(name: str, value: object, *, at_least: float = -math.inf) -> None:
    """Refuse anything but a finite real number that is not below at_least."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}); it must be a number")
    if not math.isfinite(value) or value < at_least:
        bound = "" if at_least == -math.inf else f" and at least {at_least:g}"
        raise ValueError(f"{name} is {value}; it must be finite{bound}")


def check_positive(name: str, value: object) -> None:
    """Refuse anything but a finite number above 0."""
    check_number(name, value)
    assert isinstance(value, int | float)
    if value <= 0:
        raise ValueError(f"{name} is {value}; it must be positive")


def check_tensor(name: str, value: object, shape: dict[str, int | None], *, like: Tensor | None = None) -> None:
    """Refuse anything but a finite floating-point tensor of that shape (None: any size ≥ 1), dtype and device."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} is {type(value).__name__}; it must be a torch.Tensor of shape {_spelled(shape)}")
    sizes = tuple(shape.values())
    if value.dim() != len(sizes) or any(w not in (None, g) for g, w in zip(value.shape, sizes, strict=True)):
        raise ValueError(f"{name} has shape {tuple(value.shape)}; it must be {_spelled(shape)}")
    if 0 in value.shape:
        raise ValueError(f"{name} has shape {tuple(value.shape)}; no size may be 0 in {_spelled(shape)}")
    if not value.is_floating_point():
        raise TypeError(f"{name} has dtype {value.dtype}; it must be floating point, e.g. torch.float32")
    if like is not None and value.dtype != like.dtype:
        raise TypeError(f"{name} has dtype {value.dtype}; it must be {like.dtype}: call .to({like.dtype}) on it")
    if like is not None and value.device != like.device:
        raise ValueError(f"{name} is on {value.device}; it must be on {like.device}: call .to('{like.device}') on it")
    if value.is_meta:
        raise ValueError(f"{name} is on meta, which holds no numbers; it must be on a device that does, e.g. cpu")
    finite = torch.isfinite(value)
    if not finite.all():
        where = tuple((~finite).nonzero()[0].tolist())
        raise ValueError(f"{name} has {value[where].item()} at index {where}; every entry must be finite")


def check_active(active: object, T: int, *, device: torch.device, name: str = "active") -> None:
    """Refuse anything but int64 indices (B, z) of circuits, in range and distinct within a row."""
    if not isinstance(active, Tensor):
        raise TypeError(f"{name} is {type(active).__name__}; it must be a torch.Tensor of int64 (B, z)")
    if active.dtype != torch.int64:
        raise TypeError(f"{name} has dtype {active.dtype}; it must be torch.int64: call .long() on it")
    if active.dim() != 2 or 0 in active.shape:
        raise ValueError(f"{name} has shape {tuple(active.shape)}; it must be (B, z) with B ≥ 1 and z ≥ 1")
    if active.device != device:
        raise ValueError(f"{name} is on {active.device}; it must be on {device}: call .to('{device}') on it")
    if active.shape[1] > T:
        raise ValueError(f"{name} has z = {active.shape[1]} columns; at most T = {T} circuits can be active at once")
    if active.min() < 0 or active.max() >= T:
        wrong = active[(active < 0) | (active >= T)][0].item()
        raise ValueError(f"{name} holds {wrong}; indices of circuits lie in 0 … T − 1 = {T - 1}")
    ordered = active.sort(dim=1).values
    repeated = ordered[:, 1:] == ordered[:, :-1]
    if repeated.any():
        row, column = repeated.nonzero()[0].tolist()
        raise ValueError(f"{name} repeats circuit {ordered[row, column].item()} in row {row}; a row must be distinct")


def check_batch(active: object, inputs: object, T: int, d: int, *, like: Tensor) -> None:
    """Refuse a pair (active, inputs) that does not say which circuits run on what."""
    check_active(active, T, device=like.device)
    assert isinstance(active, Tensor)
    B, z = active.shape
    check_tensor("inputs", inputs, {"B": B, "z": z, "d": d}, like=like)


def _check_int(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r} ({type(value).__name__}); it must be an int")


def _spelled(shape: dict[str, int | None]) -> str:
    return "(" + ", ".join(k if v is None else f"{k}={v}" for k, v in shape.items()) + ")"
