from itertools import permutations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from ancestral.flows import optimal_coupling


@given(st.integers(2, 6), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_no_order_of_the_noise_is_nearer_to_the_data(n: int, seed: int) -> None:
    generator = Generator().manual_seed(seed)
    x_0, x_1 = torch.randn(2, n, 3, dtype=torch.float64, generator=generator)
    coupled = optimal_coupling(x_0, x_1)
    costs = [(x_0[list(order)] - x_1).square().sum() for order in permutations(range(n))]
    torch.testing.assert_close((coupled - x_1).square().sum(), min(costs))
    assert sorted(coupled[:, 0].tolist()) == sorted(x_0[:, 0].tolist())


def test_labels_are_coupled_each_for_itself() -> None:
    generator = Generator().manual_seed(0)
    x_0, x_1 = torch.randn(2, 40, 1, 2, 2, generator=generator)
    label = torch.arange(40) % 3
    coupled = optimal_coupling(x_0, x_1, label)
    for k in range(3):
        own = label == k
        assert torch.equal(coupled[own], optimal_coupling(x_0[own], x_1[own]))
