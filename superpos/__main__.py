"""`superpos` or `python -m superpos`: compress networks in files, and verify what came out. Chapter 13."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from tqdm import tqdm

from superpos.compression import Certificate, Compressed, compress, load
from superpos.compression.choice import METHODS
from superpos.compression.reading import read_modules
from superpos.writing import check_free

OK, FAILS, REFUSED = 0, 1, 2
_EXIT = "exit codes: 0 all is well; 1 the certificate does not hold; 2 refused, nothing was written"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. What is refused is said in one line on the error stream."""
    asked = _parser().parse_args(arguments)
    try:
        return asked.command(asked)
    except (ValueError, TypeError, OSError) as error:
        print(f"superpos: {error}", file=sys.stderr)
        return REFUSED


def _compress(asked: argparse.Namespace) -> int:
    check_free(asked.output, overwrite=asked.force, how="--force")
    with _Progress(4) as progress:
        progress("reading")
        modules = read_modules(asked.files, last_relu=asked.last_relu)
        progress("building")
        options = {name: getattr(asked, name) for name in ("z", "tolerance", "D", "method", "seed", "bound")}
        network = compress(modules, **options)
        progress("certifying")
        certificate = network.certify()
        progress("writing")
        network.save(asked.output, overwrite=asked.force)
    _say(network, certificate, asked.json, output=str(asked.output))
    return OK if certificate.holds else FAILS


def _verify(asked: argparse.Namespace) -> int:
    with _Progress(2 + bool(asked.files)) as progress:
        progress("reading")
        network = load(asked.network)
        modules = None
        if asked.files:
            progress("reading the small networks")
            modules = read_modules(asked.files, last_relu=asked.last_relu)
        progress("measuring")
        certificate = network.certify(*_samples(asked.samples), modules=modules)
    _say(network, certificate, asked.json)
    return OK if certificate.holds else FAILS


def _samples(file: Path | None) -> tuple:
    """`active` and `inputs` of a safetensors file."""
    if file is None:
        return None, None
    try:
        held = load_file(file)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file}: it is damaged, cut short, or no safetensors file ({error})") from error
    if not {"active", "inputs"} <= held.keys():
        raise ValueError(f"{file}: it holds {', '.join(sorted(held)) or 'nothing'}; it must hold active and inputs")
    return held["active"], held["inputs"]


def _say(network: Compressed, certificate: Certificate, as_json: bool, **more: str) -> None:
    if as_json:
        said = {**more, "report": asdict(network.report()), "certificate": json.loads(certificate.to_json())}
        print(json.dumps(said, indent=1, ensure_ascii=False))
        return
    print(network.report(), certificate, *(f"{name:<10}  {value}" for name, value in more.items()), sep="\n")


class _Progress:
    """A bar on the error stream, where that is a terminal: one step a call."""

    def __init__(self, steps: int) -> None:
        self.bar = tqdm(total=steps, bar_format="{desc:<28}{bar:30} {elapsed}", disable=None)

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
    one.add_argument("-o", "--output", type=Path, required=True, help="the file to be written")
    one.add_argument("--z", type=int, default=1, help="networks active at once (default 1)")
    one.add_argument("--tolerance", type=float, default=0.0, help="what may go wrong, from 0 (default) to below 1")
    one.add_argument("-D", type=int, default=None, help="width at most (default: the narrowest)")
    one.add_argument("--method", default="auto", choices=("auto", *METHODS), help="construction (default auto)")
    one.add_argument("--seed", type=int, default=0, help="of what is drawn (default 0)")
    one.add_argument("--bound", type=float, default=None, help="largest activation (default: from the weights)")
    one.add_argument("--force", action="store_true", help="replace the output if it is there")

    two = commands.add_parser("verify", help="what a compressed network is worth", epilog=_EXIT)
    two.set_defaults(command=_verify)
    two.add_argument("network", type=Path, help="a file that compress has written")
    two.add_argument("files", nargs="*", type=Path, help="the small networks, to hold it against")
    two.add_argument("--samples", type=Path, help="a safetensors file with `active` and `inputs`; default random ones")

    for command in (one, two):
        command.add_argument("--last-relu", action="store_true", help="the small networks end with a ReLU")
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
