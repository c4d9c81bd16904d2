"""Many small networks as one: what `superpos.compress` returns, and `superpos.load` reads again. Chapter 15."""

from os import PathLike

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from superpos import circuits
from superpos.beds import Bed
from superpos.beds.folder import FORMAT
from superpos.circuits import ResidualCircuits
from superpos.compression import bed, evidence, files
from superpos.compression.certificate import Certificate
from superpos.compression.large import Large
from superpos.writing import check_free


class Compressed(Large):
    """The network that T small ones went into, with what is proved and measured of it. Chapter 15.

    `run` takes what the modules take and returns what they return. The large network itself is an ordinary chain of
    layers on an input of its own: `read(network(network.encode(active, inputs)), active)` gives the same outputs.
    """

    def certify(
        self,
        active: Int64[Tensor, "B z"] | None = None,
        inputs: Float[Tensor, "B z width"] | None = None,
        *,
        modules: object = None,
    ) -> Certificate:
        """The certificate of this network: proved, expected, measured on samples of your own, and a verdict.

        It holds if every module gave an answer in the samples that is right, as far as is proved or as the tolerance
        says, and if the weights of every module stand in the network.

        Args:
            active, inputs: as for `run`; by default random sets of z modules on standard normal inputs, 1,000 of them,
                or more where it takes more for every module to run.
            modules: what the network is held against; modules are also run, by their own forward. By default the
                circuits that it was made of. Once it has been loaded from a file it does not know these any more:
                held against those in its own weights, it is at best consistent with itself, and never holds.

        Raises:
            TypeError, ValueError: for samples that do not fit, modules that the network cannot carry, or, without
                modules, if a loaded network cannot be read because circuits share all their weights.
        """
        return evidence.certify(self, active, inputs, modules)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the network to one safetensors file, whole or not at all; `superpos.load` reads it.

        Raises:
            FileExistsError: if there is a file and overwrite is not given.
            ValueError: if it could not be read again: a number is not finite, or of too coarse a kind for its keys.
        """
        files.save(self, path, overwrite=overwrite)

    def bed(self, inputs: Float[Tensor, "T N width"] | None = None, *, seed: int = 0) -> Bed:
        """The test bed of this network for methods that take networks apart: whose every weight is, and samples.

        Args:
            inputs: N inputs of each module, of which a sample takes one at random; by default standard normal ones, cut
                off at the reach.
            seed: of these.

        Raises:
            TypeError, ValueError: for inputs that do not fit; if circuits share weights that training has changed; or
                if weights are too small or too large for a bed.
        """
        return bed.bed(self, inputs, seed=seed)

    def ground_truth(
        self,
        path: str | PathLike[str],
        inputs: Float[Tensor, "T N width"] | None = None,
        *,
        seed: int = 0,
        overwrite: bool = False,
    ) -> None:
        """Write the test bed of this network to a folder, as `bed` makes it; `superpos.bed.load` reads it.

        Raises:
            TypeError, ValueError: as `bed`.
            FileExistsError: if there is something and overwrite is not given, or a folder with other files.
            OSError: if it cannot be written there, or the disk has no room for it.
        """
        check_free(path, overwrite=overwrite, folder=FORMAT)  # before the work
        self.bed(inputs, seed=seed).save(path, overwrite=overwrite)

    def extract(self, t: int) -> nn.Sequential:
        """The module t, read out of the large network's weights: the same function as what went in, to rounding.

        Raises:
            TypeError, IndexError: if t is no index of a module.
            ValueError: if the module shares all its weights with others.
        """
        if isinstance(t, bool) or not isinstance(t, int):
            raise TypeError(f"t is {t!r} ({type(t).__name__}); it must be an int")
        if not 0 <= t < self.T:
            raise IndexError(f"t is {t}; modules are numbered 0 … T − 1 = {self.T - 1}")
        own, widths = self.circuits([t]), self.widths[t].tolist()
        if self.origin.kind == "residual":
            own = ResidualCircuits.from_mlp(own, int(self._inside.max()))
        return circuits.to_module(own, 0, widths)


def load(path: str | PathLike[str], *, device: str | torch.device = "cpu") -> Compressed:
    """The network that `Compressed.save` wrote to a file: bit for bit the same. Nothing in a file is executed.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is cut short, of another program, of a newer version of this one, or an exact network of an
            older one, which has to be made again.
    """
    return Compressed(*files.read(path, device=device))
