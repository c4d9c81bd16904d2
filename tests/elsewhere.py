"""A device that is not the CPU, for machines that have no other: its tensors hold CPU tensors and mind the difference.

The numbers are those of the CPU, bit for bit. What CUDA refuses is refused: two devices in one operation, a CPU
generator for a draw made there, an index from there into a CPU tensor, NumPy. What CUDA allows is allowed: a copy, a
CPU tensor without dimensions among the operands, and CPU indices.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as tree
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "elsewhere"
_COPIES = ("copy_", "_to_copy", "_copy_from", "_local_scalar_dense")
_INDEXED = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")
# torch makes these by enlarging an empty tensor, which a tensor that holds another one does not notice.
_FACTORIES = [
    "arange",
    "arange.start",
    "arange.start_step",
    "eye",
    "eye.m",
    "linspace",
    "randperm",
    "randperm.generator",
    "empty_strided",
    "copy_",
]


class Elsewhere(Tensor):
    """A CPU tensor that says it is elsewhere."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "Elsewhere":
        strided = {"strides": held.stride(), "storage_offset": held.storage_offset()} if not held.is_sparse else {}
        made = Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, device=f"{NAME}:0", **strided)  # type: ignore[attr-defined]
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _dispatched(func, *args, **(kwargs or {}))

    # What CUDA's tensors do in C++, and those of a subclass cannot.

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.dim() == 0 else repr(self)

    def __repr__(self, **_: object) -> str:
        return f"{NAME}({self.held!r})"

    def numpy(self, *_: object, **__: object) -> Any:
        raise TypeError(f"can't convert {NAME} device type tensor to numpy. Use Tensor.cpu() first.")

    __array__ = numpy

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.held.untyped_storage()

    def data_ptr(self) -> int:
        return self.held.data_ptr()


class _Draws(_DummyBackendModule):
    """What `torch.random.fork_rng` and `torch.autocast` ask every device for; nothing is drawn or cast there."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16]

    def get_rng_state(self, device: object = None) -> Tensor:
        return torch.empty(0, dtype=torch.uint8)

    def set_rng_state(self, state: Tensor, device: object = None) -> None:
        pass


@cache
def device() -> torch.device:
    """The device, known to this process from now on."""
    _setup_privateuseone_for_python_backend(NAME, _Draws())
    _KEPT.append(torch.library.Library("_", "IMPL"))
    _KEPT[-1].fallback(_dispatched, "PrivateUse1")
    _KEPT.append(torch.library.Library("aten", "IMPL"))
    for name in _FACTORIES:
        op, _, overload = name.partition(".")
        func = getattr(getattr(torch.ops.aten, op), overload or "default")
        _KEPT[-1].impl(name, lambda *args, _func=func, **kwargs: _dispatched(_func, *args, **kwargs), "PrivateUse1")
    return torch.device(NAME, 0)


_KEPT: list[torch.library.Library] = []  # what a library adds goes with it


def _dispatched(func: Any, *args: Any, **kwargs: Any) -> Any:
    """One operation, on what the tensors hold."""
    inside = tree.tree_leaves((args, kwargs))
    asked = kwargs.get("device")
    there = any(isinstance(x, Elsewhere) for x in inside) if asked is None else torch.device(asked).type == NAME
    _check_one_device(func, args, inside, there)
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    known = {id(x.held): x for x in inside if isinstance(x, Elsewhere)}
    held = tree.tree_map_only(Elsewhere, lambda x: x.held, (args, kwargs))
    found = func(*held[0], **held[1])
    if not there:
        return found
    found = tree.tree_map_only(Tensor, lambda x: known.get(id(x)) if id(x) in known else Elsewhere(x), found)
    for x in tree.tree_leaves((found, args, kwargs)):
        assert not isinstance(x, Elsewhere) or x.shape == x.held.shape, f"{func} has changed a tensor's size"
    return found


def _check_one_device(func: Any, args: tuple, inside: list, there: bool) -> None:
    name = func.name().removeprefix("aten::").split(".")[0]
    if name in _COPIES:
        return
    if there and any(isinstance(x, torch.Generator) for x in inside):
        raise RuntimeError(f"Expected a '{NAME}' device type for generator but found 'cpu'")
    tensors = [x for x in inside if isinstance(x, Tensor)]
    far = [isinstance(x, Elsewhere) for x in tensors]
    if all(far) or not any(far):
        return
    near = [x for x in tensors if not isinstance(x, Elsewhere)]
    if name in _INDEXED:
        near = [args[0], *args[2:3]]
        if isinstance(args[0], Elsewhere) and all(isinstance(x, Elsewhere) or x.dim() == 0 for x in near):
            return
        raise RuntimeError(f"{name}: indices should be either on {args[0].device} or on the CPU, and values like self")
    written = args[0] if func._schema.is_mutable else None
    if torch.Tag.pointwise in func.tags and all(x.dim() == 0 and x is not written for x in near):
        return
    raise RuntimeError(
        f"Expected all tensors to be on the same device, but found at least two devices, {NAME}:0 and cpu! ({name})"
    )
