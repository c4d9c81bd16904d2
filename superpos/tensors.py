"""The tensors of a safetensors file, by name; what is wrong with one is said in words that name it. Chapters 15, 16."""

import hashlib
import platform
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # of weights; with others nothing is computed


def read_tensors(path: str | PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, on the CPU, and the words beside them.

    Raises:
        FileNotFoundError, PermissionError: if there is no such file, or it may not be read.
        ValueError: if it is cut short, damaged, or something else than a safetensors file.
    """
    path = Path(path)
    if not path.is_file():
        what = ": it is a folder" if path.is_dir() else ": it is a device, a pipe or a socket" if path.exists() else ""
        raise FileNotFoundError(f"path is {path}; there is no such file{what}")
    if any("\ud800" <= character <= "\udfff" for character in str(path)):  # safetensors asks for it
        raise ValueError(f"path is {str(path)!a}; its name is no UTF-8: rename it")
    with path.open("rb") as stream:
        start = stream.read(2)
    try:
        with safe_open(path, framework="pt", device="cpu") as stored:
            return {name: stored.get_tensor(name) for name in stored.keys()}, stored.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        cure = " of torch.save; write net.state_dict() with safetensors.torch.save_file" if start == b"PK" else ""
        raise ValueError(
            f"path is {path}; it is damaged, cut short, or no safetensors file{cure} ({type(error).__name__}: {error})"
        ) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors, and words beside them, to a safetensors file.

    Raises:
        OSError: if the disk is full, or does not take it for another reason.
    """
    held = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
    try:
        save_file(held, path, metadata=metadata)
    except SafetensorError as error:
        raise OSError(f"path is {path}; it could not be written ({error})") from error


def machine() -> str:
    """Where numbers are computed, in words: the processor, the threads, and torch."""
    return f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}"


def digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """The SHA-256 of a text and of tensors, by their names, dtypes, shapes and bytes."""
    found = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous().cpu()
        found.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def infinite(tensors: Mapping[str, Tensor]) -> str:
    """The first entry that is no finite number, and where it stands, in words; the empty string if there is none."""
    for name, tensor in tensors.items():
        if tensor.is_meta:
            return f"{name} is on meta, which holds no numbers"
        wrong = ~torch.isfinite(tensor) if tensor.is_floating_point() else torch.zeros(())
        if wrong.any():
            where = tuple(wrong.nonzero()[0].tolist())
            return f"{name} holds {tensor[where].item()} at index {where}"
    return ""
