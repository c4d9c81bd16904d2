"""`superpos` or `python -m superpos`: compress networks in files, verify what came out, score decompositions.

Chapters 15 and 16.
"""

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from superpos.apart import load as load_decomposition
from superpos.apart import table
from superpos.beds import bed
from superpos.compression import Certificate, Compressed, compress, load
from superpos.compression.choice import METHODS
from superpos.compression.reading import assumed, read_modules
from superpos.tensors import read_tensors
from superpos.words import plain
from superpos.writing import check_free

OK, FAILS, REFUSED, ITSELF, BROKEN, STOPPED = 0, 1, 2, 3, 4, 130
_EXIT = (
    "exit codes: 0 all is well; 1 the certificate does not hold (compress has written its file all the same); "
    "2 refused, nothing was written; 3 verified without the networks: consistent with itself, which proves nothing of "
    "them; 4 it went wrong on the way, or the result could not be printed: the message says whether the file is "
    "written; 130 interrupted, and the message says the same. A file is there whole or not at all."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. What is refused is said in one line on the error stream."""
    asked = _parser().parse_args(arguments)
    state = _watched(getattr(asked, "output", None))
    try:
        text, code = asked.command(asked)
    except (ValueError, TypeError, OSError) as error:
        return _complain(f"{error}{state()}", REFUSED)
    except KeyboardInterrupt:
        return _complain(f"interrupted{state()}", STOPPED)
    except Exception as error:
        return _complain(f"{traceback.format_exc()}superpos: {type(error).__name__}: {error}{state()}", BROKEN)
    try:
        _print(text)
    except (OSError, ValueError) as error:
        return _complain(f"the result could not be printed ({error}){state()}", BROKEN)
    except KeyboardInterrupt:
        return _complain(f"interrupted{state()}", STOPPED)
    return code


def _compress(asked: argparse.Namespace) -> tuple[str, int]:
    check_free(asked.output, overwrite=asked.force, how="--force")
    _check_kept(asked.output, asked.files)
    with _Progress(4) as progress:
        progress("reading")
        modules = read_modules(asked.files, last_relu=asked.last_relu)
        progress("building")
        options = {name: getattr(asked, name) for name in ("z", "tolerance", "D", "method", "seed", "bound")}
        network = compress(modules, **options)
        progress("certifying")
        certificate = network.certify(modules=modules)
        text = _said(network, certificate, asked.json, assumed(modules), output=asked.output)
        progress("writing")
        network.save(asked.output, overwrite=asked.force)
    return text, _code(certificate)


def _check_kept(output: str, files: Sequence[Path]) -> None:
    """Refuse to write over the networks themselves: the large one may not give them back."""
    for file in files:
        if os.path.exists(output) and file.exists() and os.path.samefile(output, file):
            raise ValueError(
                f"output is {output}; it is the file {file} with the networks themselves: give another name"
            )


def _verify(asked: argparse.Namespace) -> tuple[str, int]:
    with _Progress(2 + bool(asked.files)) as progress:
        progress("reading")
        network = load(asked.network)
        modules, taken = None, []
        if asked.files:
            progress("reading the small networks")
            modules = read_modules(asked.files, last_relu=asked.last_relu)
            taken = assumed(modules)
        progress("measuring")
        certificate = network.certify(*_samples(asked.samples), modules=modules)
    return _said(network, certificate, asked.json, taken), _code(certificate)


def _code(certificate: Certificate) -> int:
    if certificate.faults:
        return FAILS
    return ITSELF if certificate.itself else OK


def _samples(file: Path | None) -> tuple:
    """`active` and `inputs` of a safetensors file."""
    if file is None:
        return None, None
    held, _ = read_tensors(file)
    if not {"active", "inputs"} <= held.keys():
        raise ValueError(f"{file}: it holds {', '.join(sorted(held)) or 'nothing'}; it must hold active and inputs")
    return held["active"], held["inputs"]


def _score(asked: argparse.Namespace) -> tuple[str, int]:
    """The table of decompositions of one bed, or of its controls."""
    with _Progress(2) as progress:
        progress("reading")
        found = {str(folder): load_decomposition(folder) for folder in asked.folders}
        beds = sorted({d.about["bed"] for d in found.values()})
        if len(beds) > 1:
            raise ValueError(f"folders hold decompositions of the beds {', '.join(beds)}; give those of one bed")
        progress("scoring")
        made = table(bed(beds[0]), found, trivial=asked.trivial)
    return json.dumps(plain(made.figures()), indent=1, allow_nan=False) if asked.json else str(made), OK


def _said(network: Compressed, certificate: Certificate, as_json: bool, taken: list[str], **more: str) -> str:
    """The report and the certificate, in words or as JSON."""
    if as_json:
        proof = {**asdict(certificate), "holds": certificate.holds}
        said = {**more, "assumed": taken, "report": asdict(network.report()), "certificate": proof}
        return json.dumps(plain(said), indent=1, allow_nan=False)
    lines = [*(f"{'assumed':<13}  {line}" for line in taken), *(f"{name:<13}  {value}" for name, value in more.items())]
    return "\n".join([str(network.report()), str(certificate), *lines])


def _print(text: str) -> None:
    """Print to the end.

    Raises:
        OSError, ValueError: if the output is closed, or its disk is full.
    """
    if sys.stdout is None:
        raise OSError("the output is closed")
    try:
        _put(sys.stdout, f"{text}\n")
    except (OSError, ValueError):
        with suppress(
            OSError, ValueError
        ):  # or Python would try once more at its end, and give an exit code of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _complain(text: str, code: int) -> int:
    """Say it, if anybody listens: the exit code is true all the same."""
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            _put(sys.stderr, f"superpos: {text}\n")
    return code


def _put(stream: Any, text: str) -> None:
    """Write all of it; a character that the stream cannot encode as its number."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()


def _watched(output: str | None) -> Callable[[], str]:
    """What can be asked later: whether the output has been written since."""
    if output is None:
        return lambda: ""
    before = _identity(output)

    def state() -> str:
        if _identity(output) != before:
            return f"; {output} is written"
        return "; nothing was written" + (f", {output} is as it was" if before else "")

    return state


def _identity(path: str) -> tuple[int, ...]:
    """What is different for another file at the same place; nothing, if there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns


class _Progress:
    """A bar on the error stream, where that is a terminal: one step a call."""

    def __init__(self, steps: int) -> None:
        silent = True if sys.stderr is None else None
        self.bar = tqdm(total=steps, bar_format="{desc:<28}{bar:30} {elapsed}", disable=silent)

    def __enter__(self) -> "_Progress":
        return self

    def __call__(self, what: str) -> None:
        self.bar.set_description_str(what, refresh=True)
        self.bar.update()

    def __exit__(self, *exception: object) -> None:
        self.bar.close()


def _parser() -> argparse.ArgumentParser:
    called = "superpos" if Path(sys.argv[0]).stem == "superpos" else "python -m superpos"
    parser = argparse.ArgumentParser(prog=called, description=__doc__, epilog=_EXIT)
    commands = parser.add_subparsers(required=True, metavar="command")

    one = commands.add_parser("compress", help="many small networks into one", epilog=_EXIT)
    one.set_defaults(command=_compress)
    one.add_argument("files", nargs="+", type=Path, help="safetensors files with one network each, or many")
    one.add_argument("-o", "--output", required=True, help="the file to be written")
    one.add_argument("--z", type=int, default=1, help="networks active at once (default 1)")
    one.add_argument(
        "--tolerance", type=float, default=0.0, help="error allowed where nothing is proved, below 1 (default 0)"
    )
    one.add_argument("-D", type=int, default=None, help="width at most (default: the narrowest)")
    one.add_argument("--method", default="auto", choices=("auto", *METHODS), help="construction (default auto)")
    one.add_argument("--seed", type=int, default=0, help="of what is drawn (default 0)")
    one.add_argument("--bound", type=float, default=None, help="largest activation (default: from the weights)")
    one.add_argument("--force", action="store_true", help="replace the output if it is there; nothing but a file is")

    two = commands.add_parser("verify", help="what a compressed network is worth", epilog=_EXIT)
    two.set_defaults(command=_verify)
    two.add_argument("network", type=Path, help="a file that compress has written")
    two.add_argument("files", nargs="*", type=Path, help="the small networks, to hold it against")
    two.add_argument("--samples", type=Path, help="a safetensors file with `active` and `inputs`; default random ones")

    three = commands.add_parser("score", help="what decompositions of a test bed are worth", epilog=_EXIT)
    three.set_defaults(command=_score)
    three.add_argument("folders", nargs="+", type=Path, help="decompositions of one bed, or of its shuffled control")
    three.add_argument("--trivial", action="store_true", help="beside them the truth and what needs no method")

    for command in (one, two):
        command.add_argument("--last-relu", action="store_true", help="the small networks end with a ReLU")
    for command in (one, two, three):
        command.add_argument(
            "--json", action="store_true", help="print JSON; numbers that are not finite are text there"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
