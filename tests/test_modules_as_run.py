"""from_modules takes a module as it runs: what is understood is right, whatever else changes the numbers is refused."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

import superpos
from superpos import circuits
from superpos.circuits import MLPCircuits, ResidualBlock, ResidualCircuits, from_modules, running

D = 3
G = torch.Generator().manual_seed(0)
OLD = pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")


@pytest.fixture(autouse=True)
def _alone() -> None:
    """No test depends on those before it."""
    G.manual_seed(0)


def filled(module: Any) -> Any:
    """The module with numbers of its own seed: no test draws from torch's own generator."""
    with torch.no_grad():
        for p in (*module.parameters(), *module.buffers()):
            if p.is_floating_point() and p.numel():
                p.copy_(torch.randn(p.shape, generator=G).to(p))
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm1d) and layer.running_var is not None:
                layer.running_var.abs_().add_(0.5)
    return module


def line(*between: nn.Module, first: nn.Module | None = None) -> Any:
    """Linear, what is given (by default a ReLU), Linear."""
    return filled(nn.Sequential(first or nn.Linear(D, D), *(between or (nn.ReLU(),)), nn.Linear(D, D)))


def right(module: nn.Module, stack: MLPCircuits | ResidualCircuits, t: int = 0) -> None:
    """The circuit answers as the module does."""
    x = torch.randn(40, 1, stack.d, generator=G).to(stack.stack)
    x[..., D:] = 0
    with torch.no_grad():
        y = module(x[:, 0, :D].clone())
    found = stack.run(torch.full((40, 1), t), x)[-1, :, 0]
    torch.testing.assert_close(found[:, : y.shape[1]], y, atol=1e-5, rtol=1e-5)
    assert (found[:, y.shape[1] :] == 0).all()


def refused(module: Any, *words: str, kind: type[Exception] = ValueError) -> None:
    """Refused by name, the second of a mapping; and what is said says what is meant."""
    with pytest.raises(kind) as caught:
        from_modules({"plain": line(), "a": module})
    assert caught.type is kind
    for word in ("modules['a']", *words):
        assert word in str(caught.value), f"{word!r} is not in {str(caught.value)!r}"


def changed(module: nn.Module) -> None:
    """Refused because the run is not what was read: both values, and what is understood."""
    refused(module, "puts out", "where its weights say", "understood is Linear → ReLU → Linear", "hook")


# What is taken.


def reused_relu() -> Any:
    relu = nn.ReLU()
    return filled(nn.Sequential(nn.Linear(D, D), relu, nn.Linear(D, D), relu, nn.Linear(D, D), relu))


def reused_linear() -> Any:
    linear = nn.Linear(D, D)
    return filled(nn.Sequential(linear, nn.ReLU(), linear, nn.ReLU(), linear))


def reused_block() -> Any:
    block = ResidualBlock(D, 2)
    return filled(nn.Sequential(block, block, ResidualBlock(D, 2), block))


def reused_sequential() -> Any:
    part = nn.Sequential(nn.Linear(D, D), nn.ReLU())
    return filled(nn.Sequential(part, part, nn.Sequential(part, nn.Identity()), nn.Linear(D, D)))


def shared_weight() -> Any:
    module = line()
    module[2].weight = module[0].weight
    return module


def looking() -> Any:
    module, seen = line(), []
    for layer in module.modules():
        layer.register_forward_hook(lambda m, x, y: seen.append(y.sum()))
        layer.register_forward_pre_hook(lambda m, x: seen.append(x[0].sum()))
        layer.register_full_backward_hook(lambda m, x, y: (x[0] * 2,) if x[0] is not None else None)
    return module


def frozen() -> Any:
    return line().requires_grad_(False)


def lazy() -> Any:
    module: Any = nn.Sequential(nn.LazyLinear(D), nn.ReLU(), nn.LazyLinear(D), nn.LazyBatchNorm1d())
    with torch.random.fork_rng():
        module(torch.zeros(2, D))
    return filled(module).eval()


def wrapped() -> Any:
    """As tools do that move weights about or count calls."""
    module, calls = line(), []
    forward = module[0].forward

    @functools.wraps(forward)
    def counted(x: Tensor) -> Tensor:
        calls.append(1)
        return forward(x)

    module[0].forward = counted
    return module


def subclass() -> Any:
    class Named(nn.Sequential):
        """No forward of its own."""

    class Wide(nn.Linear):
        extra = 1

    return filled(Named(Wide(D, D), nn.ReLU(), nn.Linear(D, D)))


def scalar_bias() -> Any:
    module = line()
    module[0].bias = nn.Parameter(torch.tensor([0.7]))  # torch adds it to every output
    return module


def features_that_lie() -> Any:
    module = filled(nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(4, D)))
    module[0].weight = nn.Parameter(torch.randn(4, D, generator=G))
    module[0].bias = nn.Parameter(torch.randn(4, generator=G))
    return filled(nn.Sequential(module[0], nn.ReLU(), module[2], nn.ReLU(), nn.Linear(D, 4)))


def stale(change: Callable[[Any], object]) -> Callable[[], Any]:
    """A Linear whose `weight` is made anew when it runs, after its parameters have changed."""

    def make() -> Any:
        module = line().eval()
        with torch.random.fork_rng():
            change(module[0])
            module(torch.ones(1, D))
        with torch.no_grad():
            for p in module[0].parameters():
                p.add_(torch.randn(p.shape, generator=G))
        return module

    return make


def normed(**options: bool) -> Callable[[], Any]:
    def make() -> Any:
        first = nn.Linear(D, 4, bias=options.get("bias", True))
        affine = options.get("affine", True)
        return filled(
            nn.Sequential(first, nn.BatchNorm1d(4, affine=affine), nn.ReLU(), nn.Linear(4, D), nn.BatchNorm1d(D))
        ).eval()

    return make


TAKEN: dict[str, Callable[[], Any]] = {
    "one ReLU at three places": reused_relu,
    "one Linear at three places": reused_linear,
    "one block at three places": reused_block,
    "one Sequential at three places": reused_sequential,
    "one weight in two layers": shared_weight,
    "hooks that only look": looking,
    "frozen": frozen,
    "lazy, once run": lazy,
    "a forward that is wrapped": wrapped,
    "subclasses without a forward": subclass,
    "a bias of one number": scalar_bias,
    "in_features that lie": features_that_lie,
    "ReLU in place": lambda: line(nn.ReLU(inplace=True)),
    "Identity": lambda: line(nn.Identity(), nn.ReLU(), nn.Identity()),
    "Dropout in evaluation mode": lambda: line(nn.ReLU(), nn.Dropout(0.5), nn.AlphaDropout(0.5)).eval(),
    "Dropout of nothing": lambda: line(nn.ReLU(), nn.Dropout(0.0)).train(),
    "weight_norm of old, stale": stale(lambda layer: weight_norm(layer)),
    "spectral_norm of old, stale": stale(lambda layer: spectral_norm(layer)),
    "pruned, stale": stale(lambda layer: prune.l1_unstructured(layer, "weight", amount=4)),
    "pruned bias, stale": stale(lambda layer: prune.random_unstructured(layer, "bias", amount=1)),
    "weight_norm": stale(lambda layer: parametrizations.weight_norm(layer)),
    "spectral_norm": stale(lambda layer: parametrizations.spectral_norm(layer)),
    "orthogonal": stale(lambda layer: parametrizations.orthogonal(layer, use_trivialization=False)),
    "weight_norm in training mode": lambda: line(first=parametrizations.weight_norm(nn.Linear(D, D))).train(),
    "BatchNorm": normed(),
    "BatchNorm without numbers of its own": normed(affine=False),
    "BatchNorm after a Linear without bias": normed(bias=False),
    "two BatchNorms": lambda: line(nn.BatchNorm1d(D), nn.BatchNorm1d(D), nn.ReLU()).eval(),
}


@OLD
@pytest.mark.parametrize("name", TAKEN)
def test_taken(name: str) -> None:
    module = TAKEN[name]()
    right(module, from_modules([module]))


@OLD
def test_a_stale_weight_is_left_as_it_was() -> None:
    module = TAKEN["spectral_norm of old, stale"]()
    before = {name: (value, value.clone()) for name, value in module.state_dict(keep_vars=True).items()}
    weight, values = module[0].weight, module[0].weight.clone()
    from_modules([module])
    assert module[0].weight is weight
    assert torch.equal(weight, values)
    after = module.state_dict(keep_vars=True)
    assert all(after[name] is value and torch.equal(value, copy) for name, (value, copy) in before.items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["one Linear at three places", "one block at three places", "BatchNorm"])
def test_taken_in_other_precisions(name: str, dtype: torch.dtype) -> None:
    module = TAKEN[name]().to(dtype)
    stack = from_modules([module])
    assert stack.stack.dtype == dtype
    module[0].register_forward_hook(lambda m, x, y: y * (1 + 30 * torch.finfo(dtype).eps))
    with pytest.raises(ValueError, match="puts out"):
        from_modules([module])


@pytest.mark.parametrize("weight", [0.3, -0.3])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_rounding_is_not_taken_for_a_change(weight: float, scale: float) -> None:
    # Equal weights: all neurons are rounded alike, which adds up; small and large ones: relative to their own size.
    module: Any = nn.Sequential(*(layer for _ in range(6) for layer in (nn.Linear(32, 32), nn.ReLU())))
    for p in module.parameters():
        nn.init.constant_(p, weight)
    module[10].weight.data.mul_(scale)
    module[10].bias.data.mul_(scale)
    other = nn.Sequential(*(layer for _ in range(6) for layer in (nn.Linear(40, 40), nn.ReLU())))
    from_modules([module, filled(other)])


def deep(dtype: torch.dtype) -> Any:
    """Ten layers of 8 in which half the neurons are silent, so that states keep their size."""
    module = filled(nn.Sequential(*(layer for _ in range(10) for layer in (nn.Linear(8, 8, bias=False), nn.ReLU()))))
    for layer in module[::2]:
        layer.weight.data.mul_(0.5)
    return module.to(dtype)


@pytest.mark.parametrize("change", [1.0, 1.4])
def test_a_deep_network_in_half_precision(change: float) -> None:
    # Rounding moves it by about √10 · 2⁻⁸ = 1.2% an output; what silent neurons are off by does not arrive.
    module = deep(torch.bfloat16)
    module.register_forward_hook(lambda m, x, y: change * y)
    if change == 1.0:
        from_modules([module])
        return
    with pytest.raises(ValueError, match="puts out"):
        from_modules([module])


def test_half_precision_is_summed_in_single() -> None:
    # One output of 400 equal terms: rounded once, by 2⁻⁹ at most, not once for each term.
    module: Any = nn.Linear(400, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    module.to(torch.bfloat16)
    from_modules([module])
    module.register_forward_hook(lambda m, x, y: 1.1 * y)
    with pytest.raises(ValueError, match="puts out"):
        from_modules([module])


def test_positive_weights_add_up_what_rounding_does() -> None:
    # An input whose parts nearly cancel is rounded in the first layer; nine layers of positive weights keep that.
    modules = [
        filled(nn.Sequential(*(layer for _ in range(10) for layer in (nn.Linear(8, 8), nn.ReLU())))) for _ in "123"
    ]
    for module in modules:
        for layer in module[::2]:
            layer.weight.data.abs_()
        module[0].weight.data = 1.0 + 1e-4 * module[0].weight.data
        with torch.no_grad():
            module[0].weight[:, 1::2] *= 2  # 1 · 1 − 0.5 · 2 of the signs in turn
    from_modules(modules)


def test_what_overflows_is_not_held_against_a_module() -> None:
    module = line().half()
    module[0].weight.data.fill_(200.0)
    module[2].weight.data.fill_(200.0)  # 3 · 3 · 200² · 256 > 65504
    from_modules([module])
    module[1].register_forward_hook(lambda m, x, y: 1.1 * y)
    with pytest.raises(ValueError, match="puts out"):
        from_modules([module])


def test_a_count_in_a_buffer() -> None:
    module = line().eval()
    module.register_buffer("seen", torch.zeros(()))

    def count(m: Any, x: object, y: object) -> None:
        m.seen.add_(1)

    module.register_forward_hook(count)
    from_modules([module])
    assert module.seen == 0


def test_containers_of_modules() -> None:
    nets = [line(), line()]
    wanted = from_modules(nets).stack
    assert torch.equal(from_modules(nn.ModuleList(nets)).stack, wanted)
    assert torch.equal(from_modules(nn.ModuleDict({"x": nets[0], "y": nets[1]})).stack, wanted)
    assert torch.equal(from_modules([nets[0], nets[0]]).stack, wanted[:, [0, 0]])
    assert superpos.compress(nn.ModuleDict({"x": nets[0], "y": nets[1]})).origin.names == ("x", "y")
    with pytest.raises(ValueError, match="modules is empty"):
        from_modules(nn.ModuleDict())
    with pytest.raises(TypeError, match=r"layer 1 of modules\['y'\] is Tanh"):
        from_modules(nn.ModuleDict({"x": nets[0], "y": line(nn.Tanh())}))


# What is refused: the numbers are not those of the weights.


def hooked(where: int | None, hook: Callable[..., Any], *, pre: bool = False) -> Any:
    module = line()
    layer = module if where is None else module[where]
    (layer.register_forward_pre_hook if pre else layer.register_forward_hook)(hook)
    return module


def with_forward(where: int | None, forward: Callable[[Tensor], Tensor]) -> Any:
    module = line()
    (module if where is None else module[where]).forward = forward
    return module


class Called(nn.Linear):
    """A Linear called otherwise."""

    def __call__(self, x: Tensor) -> Tensor:
        return super().__call__(x) + 1


class Backwards(nn.Sequential):
    """A Sequential that goes through its layers another way."""

    def __iter__(self) -> Iterator[nn.Module]:
        return reversed(list(self._modules.values()))


def in_place(module: nn.Module, given: tuple[Tensor, ...]) -> None:
    given[0].mul_(2)


CHANGED: dict[str, Callable[[], Any]] = {
    "hook on the module": lambda: hooked(None, lambda m, x, y: y + 1),
    "hook on a Linear": lambda: hooked(0, lambda m, x, y: 1.001 * y),
    "hook on a ReLU": lambda: hooked(1, lambda m, x, y: y + 0.01),
    "pre-hook": lambda: hooked(2, lambda m, x: (x[0] + 0.01,), pre=True),
    "pre-hook that normalises": lambda: hooked(None, lambda m, x: ((x[0] - 0.1) / 1.1,), pre=True),
    "pre-hook in place": lambda: hooked(None, in_place, pre=True),
    "hook that clips large": lambda: hooked(None, lambda m, x: (x[0].clamp(-100, 100),), pre=True),
    "hook that drops small": lambda: hooked(None, lambda m, x: (torch.where(x[0].abs() < 0.1, 0.0, x[0]),), pre=True),
    "hook on negative numbers alone": lambda: hooked(
        None, lambda m, x: (torch.where(x[0] < 0, 0.9 * x[0], x[0]),), pre=True
    ),
    "hook that rounds to half": lambda: hooked(0, lambda m, x, y: y.bfloat16().float()),
    "hook that looks at the batch": lambda: hooked(None, lambda m, x, y: y - y.mean(dim=0)),
    "hook that gives NaN": lambda: hooked(1, lambda m, x, y: y / 0 * 0),
    "Dropout in a hook": lambda: hooked(1, lambda m, x, y: nn.functional.dropout(y)),
    "forward of an instance": lambda: with_forward(None, lambda x: 2 * x),
    "forward of an inner instance": lambda: with_forward(1, torch.tanh),
    "forward of an Identity": lambda: line(nn.Identity(), nn.ReLU()),
    "__call__ of its own": lambda: line(first=Called(D, D)),
    "another order": lambda: filled(Backwards(nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D))),
}


@pytest.mark.parametrize("name", CHANGED)
def test_changed(name: str) -> None:
    module = CHANGED[name]()
    if name == "forward of an Identity":
        module[1].forward = lambda x: x.abs()
    changed(module)


def test_a_global_hook() -> None:
    handle = nn.modules.module.register_module_forward_hook(lambda m, x, y: y + 1)
    try:
        with pytest.raises(ValueError, match=r"modules\[0\] puts out"):
            from_modules([line()])
    finally:
        handle.remove()
    from_modules([line()])


def test_the_last_of_many_is_held_to_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_AT_ONCE", 100)  # several parts
    nets: dict[str, Any] = {str(t): line() for t in range(20)}
    nets["19"].register_forward_hook(lambda m, x, y: y + 1)
    with pytest.raises(ValueError, match=r"modules\['19'\] puts out"):
        from_modules(nets)


def test_both_values_are_said() -> None:
    module: Any = nn.Sequential(nn.Linear(1, 1))
    nn.init.constant_(module[0].weight, 2.0)
    nn.init.constant_(module[0].bias, 3.0)
    module.register_forward_hook(lambda m, x, y: y + 4)
    with pytest.raises(
        ValueError, match=r"modules\[0\] puts out 7 where its weights say 3, in output 0 of an input of"
    ):
        from_modules([module])


@pytest.mark.parametrize("layer", [0, 1, "padding"])
def test_a_fault_of_the_reading_itself_is_seen(layer: int | str, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = [line(), filled(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)))]

    def spoilt(weights: Tensor, biases: Tensor, **options: Any) -> MLPCircuits:
        if isinstance(layer, int):
            weights[layer, 1] = weights[layer, 1].T.clone()
        else:
            biases[-1, 1, 2] = 1e-3
        return MLPCircuits(weights, biases, **options)

    monkeypatch.setattr("superpos.circuits.modules.MLPCircuits", spoilt)
    with pytest.raises(ValueError, match=r"modules\[1\] puts out"):
        from_modules(modules)


# What is refused: it cannot be understood, and the message says what would be taken.


class Halved(nn.Identity):
    def forward(self, input: Tensor) -> Tensor:
        return input / 2


class Noisy(nn.Dropout):
    def forward(self, input: Tensor) -> Tensor:
        return input + 1


class Twice(nn.Sequential):
    def forward(self, input: Tensor) -> Tensor:
        return super().forward(super().forward(input))


class Scaled(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


class Leaky(nn.ReLU):
    def forward(self, input: Tensor) -> Tensor:
        return nn.functional.leaky_relu(input)


class Scaling(ResidualBlock):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class Written(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(D, D)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.linear(x))


OWN = "a forward of its own"
UNKNOWN: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "Identity": (lambda: line(Halved(), nn.ReLU()), ["layer 1 of", "Halved", OWN]),
    "Dropout": (lambda: line(nn.ReLU(), Noisy()).eval(), ["layer 2 of", "Noisy", OWN]),
    "Sequential": (lambda: Twice(nn.Linear(D, D)), ["Twice", OWN]),
    "Linear": (lambda: line(first=Scaled(D, D)), ["layer 0 of", "Scaled", OWN]),
    "ReLU": (lambda: line(Leaky()), ["layer 1 of", "Leaky", OWN]),
    "ResidualBlock": (lambda: Scaling(D, 2), ["Scaling", OWN]),
    "a module of one's own": (Written, ["Written", "write the module as such a Sequential"]),
    "GELU": (lambda: line(nn.GELU()), ["layer 1 of", "GELU", "ReLU is the one activation"]),
    "LeakyReLU": (lambda: line(nn.LeakyReLU()), ["LeakyReLU", "ReLU is the one activation"]),
    "ReLU6": (lambda: line(nn.ReLU6()), ["ReLU6", "ReLU is the one activation"]),
    "Softmax": (lambda: line(nn.ReLU()).append(nn.Softmax(1)), ["layer 3 of", "Softmax", "apply it to the outputs"]),
    "Conv1d": (lambda: line(first=nn.Conv1d(D, D, 1)), ["Conv1d", "a Linear of the flattened input"]),
    "Flatten": (lambda: line(first=nn.Flatten()), ["layer 0 of", "Flatten", "inputs of shape (batch, width)"]),
    "LayerNorm": (lambda: line(nn.LayerNorm(D)), ["LayerNorm", "depends on the input", "BatchNorm1d is taken"]),
    "GroupNorm": (lambda: line(nn.GroupNorm(1, D)), ["GroupNorm", "depends on the input"]),
    "BatchNorm in training mode": (lambda: line(nn.BatchNorm1d(D), nn.ReLU()), ["in training mode", ".eval()"]),
    "BatchNorm after a ReLU": (lambda: line(nn.ReLU(), nn.BatchNorm1d(D)).eval(), ["right after a Linear"]),
    "BatchNorm first": (lambda: line(first=nn.BatchNorm1d(D)).eval(), ["layer 0 of", "right after a Linear"]),
    "BatchNorm without statistics": (
        lambda: line(nn.BatchNorm1d(D, track_running_stats=False), nn.ReLU()).eval(),
        ["layer 1 of", "with its running statistics"],
    ),
    "Dropout in training mode": (lambda: line(nn.ReLU(), nn.Dropout(0.5)), ["Dropout in training mode", ".eval()"]),
    "ModuleList inside": (lambda: nn.Sequential(nn.ModuleList([nn.Linear(D, D)])), ["ModuleList", "nn.Sequential"]),
    "DataParallel": (lambda: nn.DataParallel(line()), ["DataParallel", "give the module inside it, .module"]),
    "averaged": (lambda: torch.optim.swa_utils.AveragedModel(line()), ["AveragedModel", ".module"]),
    "compiled": (lambda: torch.compile(line(), backend="eager"), ["OptimizedModule", "._orig_mod"]),
    "scripted": (
        lambda: torch.jit.freeze(torch.jit.trace(line().eval(), torch.zeros(1, D))),
        ["give the module that was scripted"],
    ),
    "nothing in a place": (lambda: nn.Sequential(nn.Linear(D, D), None), ["layer 1 of", "NoneType"]),  # type: ignore[arg-type]
    "a block with another reader": (lambda: with_reader(nn.Tanh()), ["`read`", "Tanh", "must be Linear"]),
    "a block that reads by its own": (lambda: with_reader(Scaled(D, 2)), ["`read`", "Scaled", "must be Linear"]),
}


def with_reader(read: nn.Module) -> Any:
    block = ResidualBlock(D, 2)
    block.read = read  # type: ignore[assignment]
    return block


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown(name: str) -> None:
    make, words = UNKNOWN[name]
    refused(make(), *words, kind=TypeError)


def raising(module: nn.Module, given: object) -> None:
    raise RuntimeError("not today")


def resized(layer: int, name: str, shape: tuple[int, ...]) -> Any:
    module = line()
    setattr(module[layer], name, nn.Parameter(torch.ones(shape)))
    return module


UNFIT: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "it raises": (lambda: hooked(1, raising, pre=True), ["cannot be run", "(29, 3)", "RuntimeError: not today"]),
    "it gives a pair": (lambda: hooked(None, lambda m, x, y: (y, y)), ["puts out tuple", "(29, 3)"]),
    "it gives another width": (lambda: hooked(None, lambda m, x, y: y[:, :1]), ["shape (29, 1)", "(29, 3)"]),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(D)), ["no weights yet", "run it once"]),
    "spectral_norm in training mode": (
        lambda: trained(spectral_norm),
        ["changes its own", "whenever it runs", ".eval()"],
    ),
    "spectral_norm of today in training mode": (
        lambda: trained(parametrizations.spectral_norm),
        ["changes", ".eval()"],
    ),
    "a row too few": (lambda: resized(0, "weight", (2, D)), ["bias", "(3,)", "(2,)"]),
    "a weight of one row": (lambda: resized(2, "weight", (1, D)), ["bias", "(3,)", "(1,)"]),
    "a weight of one column": (lambda: resized(2, "weight", (D, 1)), ["layer 2 of", "takes 1", "puts out 3"]),
    "a weight that is a vector": (lambda: resized(2, "weight", (D,)), ["layer 2 of", "(3,)", "a matrix"]),
    "a bias that is a matrix": (lambda: resized(0, "bias", (1, D)), ["bias", "(1, 3)", "(3,)"]),
    "BatchNorm of another width": (lambda: line(nn.BatchNorm1d(4), nn.ReLU()).eval(), ["BatchNorm1d after", "4", "3"]),
    "infinite statistics": (lambda: infinite(line(nn.BatchNorm1d(D), nn.ReLU()).eval()), ["inf", "bias of layer 0"]),
    "NaN, pruned": (lambda: pruned_nan(), ["nan", "weight of layer 0", "finite"]),
    "on meta": (lambda: line().to("meta"), ["meta", "cpu"]),
}


def trained(norm: Callable[[Any], object]) -> Any:
    module: Any = nn.Sequential(nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D))
    with torch.random.fork_rng():
        norm(module[0])
    return filled(module).train()


def infinite(module: Any) -> Any:
    nn.init.constant_(module[1].running_mean, -torch.inf)
    return module


def pruned_nan() -> Any:
    module = line()
    prune.identity(module[0], "weight")
    nn.init.constant_(module[0].weight_orig, torch.nan)
    return module


@pytest.mark.parametrize("name", UNFIT)
def test_unfit(name: str) -> None:
    make, words = UNFIT[name]
    module = make()
    before = {key: value.clone() for key, value in module.state_dict().items() if name != "lazy"}
    refused(module, *words)
    after = module.state_dict() if before else {}
    assert all(torch.equal(after[k].nan_to_num(), v.nan_to_num()) for k, v in before.items() if not v.is_meta)


@pytest.mark.filterwarnings("ignore:.*Complex.*:UserWarning")
def test_numbers_of_another_kind() -> None:
    with pytest.raises(TypeError, match=r"modules\[0\] has dtype torch.complex64; it must be floating point"):
        from_modules([nn.Linear(2, 2, dtype=torch.complex64)])
    mixed = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).double()).eval()
    with pytest.raises(TypeError, match=r"modules\[0\] has dtype torch.float64"):
        from_modules([mixed])


# What running leaves behind: nothing.


def test_running_leaves_no_trace() -> None:
    module = normed()().requires_grad_(True)
    module[3].weight.requires_grad_(False)
    module[1].eval()
    counted = []
    module[2].register_forward_hook(lambda m, x, y: counted.append(torch.rand(3)))  # draws, as others' code may
    modes = [layer.training for layer in module.modules()]
    state = {name: value.clone() for name, value in module.state_dict().items()}
    versions = [p._version for p in module.parameters()]
    random = torch.get_rng_state()
    stack = from_modules([module])
    assert counted
    assert torch.equal(random, torch.get_rng_state())
    assert [layer.training for layer in module.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert [p._version for p in module.parameters()] == versions
    assert [p.requires_grad for p in module.parameters()] == [True] * 4 + [False] + [True] * 3
    assert all(p.grad is None for p in module.parameters())
    assert not stack.stack.requires_grad


def test_what_stands_around_does_not_matter() -> None:
    module = line()
    wanted = from_modules([module]).stack
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):  # a Linear would put out bfloat16
            assert torch.equal(from_modules([module]).stack, wanted)
        with torch.inference_mode():
            assert torch.equal(from_modules([module]).stack, wanted)
        with torch.device("meta"):
            assert torch.equal(from_modules([module]).stack, wanted)
    finally:
        torch.set_default_dtype(default)


# The modules themselves.


def test_answers_are_those_of_the_modules() -> None:
    modules: dict[str, Any] = {
        "a": filled(nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))),
        "b": filled(nn.Sequential(nn.Linear(3, 2), nn.ReLU(inplace=True), nn.Linear(2, 3))),
        "c": filled(nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2))),
        "never": filled(nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2))),
    }
    calls = []
    modules["a"].register_forward_hook(lambda m, x, y: calls.append(len(x[0])))
    modules["a"].register_forward_hook(lambda m, x, y: y + 1)  # what changes the numbers is in the answer
    active = torch.tensor([[0, 1], [2, 0], [1, 0], [0, 2]])
    x = torch.randn(4, 2, 3, generator=G)
    before = x.clone()
    y = circuits.answers(modules, active, x)
    assert torch.equal(x, before)
    assert calls == [4]
    assert y.shape == (4, 2, 3)
    named = list(modules.values())
    for b in range(4):
        for i in range(2):
            module = named[int(active[b, i])]
            with torch.no_grad():
                own = module(x[b, i : i + 1, : module[0].in_features])[0]
            torch.testing.assert_close(y[b, i, : len(own)], own)
            assert (y[b, i, len(own) :] == 0).all()
    assert not y.requires_grad
    assert torch.equal(circuits.answers(nn.ModuleDict(modules), active, x), y)
    assert torch.equal(circuits.answers(nn.ModuleList(named), active, x), y)


def test_answers_refuse_what_does_not_fit() -> None:
    modules, active, x = [line(), line()], torch.tensor([[0], [1]]), torch.zeros(2, 1, D)
    with pytest.raises(ValueError, match="active holds 2"):
        circuits.answers(modules, torch.tensor([[0], [2]]), x)
    with pytest.raises(TypeError, match=r"inputs has dtype torch\.float64"):
        circuits.answers(modules, active, x.double())
    with pytest.raises(ValueError, match=r"inputs has width 2.*modules\[0\] takes 3"):
        circuits.answers(modules, active, x[..., :2])


def test_compress_reads_the_same_way() -> None:
    module = hooked(0, lambda m, x, y: y + 1)
    with pytest.raises(ValueError, match=r"modules\['a'\] puts out"):
        superpos.compress({"plain": line(), "a": module})


def test_a_bias_that_batchnorm_takes_away_again_is_still_rounded() -> None:
    module = line(nn.BatchNorm1d(D), nn.ReLU()).eval()
    module[0].bias.data.fill_(1000.3)  # the module rounds 1000.3 + w x before it subtracts the mean
    module[1].running_mean.fill_(1000.0)
    from_modules([module])


def test_a_wide_network_sums_many_terms() -> None:
    from_modules([filled(nn.Sequential(nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 400))).double()])
