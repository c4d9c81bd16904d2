"""from_modules: any list of small torch networks becomes a stack that computes the same."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from superpos.circuits import MLPCircuits, ResidualBlock, ResidualCircuits, from_modules

WIDTHS = st.lists(st.lists(st.integers(1, 4), min_size=3, max_size=3), min_size=1, max_size=4)


@given(widths=WIDTHS, last=st.booleans(), bias=st.booleans())
def test_mlps_of_any_widths(widths: list[list[int]], last: bool, bias: bool) -> None:
    modules = []
    for a, b, c in widths:
        layers = [nn.Linear(a, b, bias=bias), nn.ReLU(), nn.Linear(b, c, bias=bias)]
        modules.append(nn.Sequential(*layers, *([nn.ReLU()] if last else [])))
    stack = from_modules(modules)
    assert isinstance(stack, MLPCircuits)
    assert (stack.T, stack.L, stack.d, stack.last_relu) == (len(widths), 2, max(map(max, widths)), last)
    for t, (a, _, c) in enumerate(widths):
        x = torch.linspace(-1, 1, 3 * a).view(3, a)
        padded = nn.functional.pad(x, (0, stack.d - a))[:, None]
        out = stack.run(torch.full((3, 1), t), padded)[-1, :, 0]
        torch.testing.assert_close(out[:, :c], modules[t](x).detach())
        assert (out[:, c:] == 0).all()


@given(widths=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4), L=st.integers(1, 3))
def test_residual_chains_of_any_widths(widths: list[tuple[int, int]], L: int) -> None:
    modules = [nn.Sequential(*(ResidualBlock(d, m) for _ in range(L))) for d, m in widths]
    stack = from_modules(modules)
    assert isinstance(stack, ResidualCircuits)
    for t, (d, _) in enumerate(widths):
        x = torch.linspace(-1, 1, 3 * d).view(3, d)
        out = stack.run(torch.full((3, 1), t), nn.functional.pad(x, (0, stack.d - d))[:, None])[-1, :, 0]
        torch.testing.assert_close(out[:, :d], modules[t](x).detach())
        assert (out[:, d:] == 0).all()


def test_block_by_hand() -> None:
    block = ResidualBlock(1, 2)
    block.load_state_dict(
        {
            "read.weight": torch.tensor([[2.0], [-1.0]]),
            "read.bias": torch.tensor([1.0, 0.0]),
            "write.weight": torch.tensor([[3.0, 5.0]]),
        }
    )
    # x = 1: neurons ReLU(2 + 1, −1) = (3, 0), so 1 + 3·3 + 5·0 = 10
    assert block(torch.ones(1, 1)).item() == 10
    assert from_modules([block]).run(torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 1, 1))[1].item() == 10


def test_the_modules_are_left_alone_and_their_dtype_kept() -> None:
    module = nn.Linear(2, 2).double()
    before = module.weight.clone()
    stack = from_modules([module])
    stack.stack.zero_()
    assert torch.equal(module.weight, before)
    assert stack.stack.dtype == torch.float64
    assert not stack.stack.requires_grad
