import pytest
import torch
from torch import Tensor

from ancestral.nn import ViT


def test_every_patch_is_seen_from_every_other_and_every_parameter_learns(float64: None) -> None:
    # PN-13: the encoder's attention is not causal.
    network = ViT((1, 6, 4), 3, patch=2, width=8, layers=1, heads=2)
    x = torch.randn(2, 1, 6, 4, requires_grad=True)
    entered: list[Tensor] = []
    network.norm.register_forward_hook(lambda _module, args, _out: entered.append(args[0]))
    out = network(x)
    assert out.shape == (2, 3)
    for place in range(6):
        (slope,) = torch.autograd.grad(entered[0][0, place].sum(), x, retain_graph=True)
        assert bool((slope[0] != 0).all())
        assert not slope[1].any()
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_places_matter_and_sides_need_be_no_multiple_of_the_patch() -> None:
    network = ViT((2, 5, 7), 3, patch=4, width=8, layers=1, heads=2).eval()
    x = torch.randn(1, 2, 5, 7)
    assert network.positions.shape == (4, 8)
    assert (network(x) - network(x.flip(-1))).abs().max() > 1e-4


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="outputs must be at least 1"):
        ViT((1, 8, 8), 0)
    with pytest.raises(ValueError, match="heads must divide the width 10"):
        ViT((1, 8, 8), 2, width=10)
    with pytest.raises(ValueError, match="patch must be at least 1, got 0"):
        ViT((1, 8, 8), 2, patch=0)
