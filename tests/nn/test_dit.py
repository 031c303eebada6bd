from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from ancestral.nn.dit import DiT, DiTBlock

Network = TypeVar("Network", bound=nn.Module)


def randomised(module: Network) -> Network:
    """Give all parameters values, the layers that start at zero too."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return module.double()


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def small(size: int = 8, classes: int = 3) -> DiT:
    return DiT((2, size, size), classes=classes, patch=4, width=8, depth=2, heads=2)


def test_a_block_starts_as_the_identity() -> None:
    block = DiTBlock(8, heads=2).double()
    x = images(2, 5, 8)
    assert torch.equal(block(x, images(2, 8)), x)


def test_a_block_is_its_definition() -> None:
    block = randomised(DiTBlock(8, heads=2))
    x, features = images(2, 5, 8), images(2, 8)
    scale, scale_2, shift, shift_2, gate, gate_2 = block.modulation(features)[:, None].chunk(6, -1)

    def norm(h: Tensor) -> Tensor:
        centred = h - h.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()

    h = (1 + scale) * norm(x) + shift
    q, k, v = block.attention.qkv(h).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
    seen = (q @ k.mT / 2).softmax(-1) @ v
    x = x + gate * block.attention.out(seen.transpose(1, 2).flatten(2))
    expected = x + gate_2 * block.feed_forward((1 + scale_2) * norm(x) + shift_2)
    torch.testing.assert_close(block(images(2, 5, 8), features), expected)


def test_the_output_starts_at_zero() -> None:
    assert not small().double()(images(2, 2, 8, 8), torch.rand(2).double()).any()


@pytest.mark.parametrize("size", [8, 7, 3])
def test_every_parameter_gets_a_gradient(size: int) -> None:
    network = randomised(small(size))
    x, time = images(4, 2, size, size), torch.rand(4).double()
    network(x, time, torch.arange(4)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_time_and_label_change_the_output() -> None:
    network = randomised(small())
    x = images(1, 2, 8, 8).expand(2, -1, -1, -1)
    times = torch.tensor([0.2, 0.7]).double()
    first, second = network(x, times, torch.tensor([0, 0]))
    assert not torch.allclose(first, second)
    first, second = network(x, times[:1].expand(2), torch.tensor([0, 1]))
    assert not torch.allclose(first, second)


def test_no_label_is_the_last_one() -> None:
    network = randomised(small())
    x, times = images(2, 2, 8, 8), torch.tensor([0.2, 0.7]).double()
    torch.testing.assert_close(network(x, times), network(x, times, torch.tensor([3, 3])))


def test_it_learns_more_than_the_mean() -> None:
    torch.manual_seed(0)
    network = DiT((1, 8, 8), patch=2, width=32, depth=2, heads=2)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(150):
        # A bright row somewhere: the velocity from noise to it.
        x = torch.nn.functional.one_hot(torch.randint(8, (64,), generator=generator), 8).float()
        x = 2 * x[:, None, :, None].expand(-1, 1, 8, 8) - 0.25
        noise, time = torch.randn(x.shape, generator=generator), torch.rand(64, generator=generator)
        z = torch.lerp(noise, x, time[:, None, None, None])
        loss = (network(z, time) - (x - noise)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    # The best constant leaves the variance of the target, 1 + 4 * 7 / 64 = 1.44.
    assert sum(losses[-20:]) / 20 < 0.8


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of the 3 heads, got 8"):
        DiT((1, 8, 8), width=8, heads=3)
    with pytest.raises(ValueError, match="event_shape and depth must be at least 1"):
        DiT((1, 8, 8), depth=0)
    with pytest.raises(ValueError, match="patch must be at least 1, got 0"):
        DiT((1, 8, 8), patch=0)
