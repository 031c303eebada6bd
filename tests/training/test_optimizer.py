from collections.abc import Callable

import pytest
import torch
from torch import nn

from ancestral.training.optimizer import Optimizer

PEERS: dict[str, Callable] = {
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.1, betas=(0.8, 0.9), fused=True),
    "adam": lambda groups: torch.optim.Adam(groups, lr=0.1, betas=(0.8, 0.9), fused=True),
    # torch's fused SGD fails where some gradients are missing, so its plain one is the peer.
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.8, foreach=False),
}


def parameters(dtype: torch.dtype) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(5, 3), (5,), (4, 3, 2, 2), ()]
    found = [nn.Parameter(torch.randn(s, generator=generator, dtype=dtype)) for s in shapes]
    found[2].data = found[2].data.contiguous(memory_format=torch.channels_last)
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", PEERS)
def test_it_moves_as_torch_does_also_when_a_gradient_is_missing(
    rule: str, dtype: torch.dtype
) -> None:
    ours, theirs = parameters(dtype), parameters(dtype)
    optimizer = Optimizer(ours, rule, betas=(0.8, 0.9), weight_decay=0.1)
    peer = PEERS[rule](
        [
            {"params": [p for p in theirs if p.ndim >= 2], "weight_decay": 0.1},
            {"params": [p for p in theirs if p.ndim < 2], "weight_decay": 0.0},
        ]
    )
    for step in range(6):
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            missing = step in (0, 3) and i in (0, 1)
            a.grad = None if missing else torch.sin(a.detach() + step)
            b.grad = None if missing else torch.sin(b.detach() + step)
        optimizer.step(0.1)
        peer.step()
    for a, b in zip(ours, theirs, strict=True):
        # The same kernels give the same bits; plain SGD fuses no multiplication with an addition.
        tolerance = 4 * torch.finfo(dtype).eps if rule == "sgd" else 0.0
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.bits
def test_the_divisor_divides_the_gradients() -> None:
    left, right = parameters(torch.float32), parameters(torch.float32)
    for a, b in zip(left, right, strict=True):
        a.grad, b.grad = torch.ones_like(a) * 8.0, torch.ones_like(b)
    Optimizer(left, "sgd", betas=(0.5, 0.0), weight_decay=0.1).step(0.1, torch.tensor(8.0))
    Optimizer(right, "sgd", betas=(0.5, 0.0), weight_decay=0.1).step(0.1)
    assert all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def test_without_momentum_a_step_is_the_gradient_times_the_rate() -> None:
    moved = parameters(torch.float64)
    for parameter in moved:
        parameter.grad = torch.ones_like(parameter)
    Optimizer(moved, "sgd", betas=(0.0, 0.0), weight_decay=0.0).step(0.25)
    for parameter, before in zip(moved, parameters(torch.float64), strict=True):
        torch.testing.assert_close(parameter, before - 0.25)


def test_only_matrices_and_kernels_decay() -> None:
    moved = parameters(torch.float32)
    for parameter in moved:
        parameter.grad = torch.zeros_like(parameter)
    Optimizer(moved, "adamw", betas=(0.9, 0.9), weight_decay=0.5).step(0.1)
    for parameter, before in zip(moved, parameters(torch.float32), strict=True):
        factor = 0.95 if parameter.ndim >= 2 else 1.0
        torch.testing.assert_close(parameter, before * factor)


def test_no_gradient_at_all_moves_nothing() -> None:
    moved = parameters(torch.float32)
    optimizer = Optimizer(moved, "adamw", betas=(0.9, 0.9), weight_decay=0.5)
    optimizer.step(0.1)
    for parameter, before in zip(moved, parameters(torch.float32), strict=True):
        assert torch.equal(parameter, before)
    assert all(not tensor.any() for tensor in optimizer.state().values())


def test_the_matrices_of_muon_have_a_decay_of_their_own() -> None:
    hidden, other = (nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    for parameter in (hidden, other):
        parameter.grad = torch.zeros(2, 2)
    optimizer = Optimizer(
        [hidden, other],
        "muon",
        betas=(0.9, 0.9),
        weight_decay=0.5,
        hidden=[hidden],
        hidden_decay=2.0,
    )
    optimizer.step(0.1)
    torch.testing.assert_close(hidden.detach(), torch.full((2, 2), 0.8))
    torch.testing.assert_close(other.detach(), torch.full((2, 2), 0.95))
