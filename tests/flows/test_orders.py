from itertools import combinations

import pytest

from ancestral.flows import autoregressive_orders, coupling_orders


@pytest.mark.parametrize("features", [1, 2, 5, 8])
def test_orders_reach_every_feature(features: int) -> None:
    for groups in autoregressive_orders(features, 3):
        assert sorted(groups) == list(range(features))
    for groups in coupling_orders(features, 5):
        assert set(groups) == set(range(min(features, 2)))


def test_after_four_couplings_all_features_have_met() -> None:
    orders = coupling_orders(8, 4)
    for one, other in combinations(range(8), 2):
        met = any(groups[one] != groups[other] for groups in orders)
        assert met or one % 2 == other % 2
    # Every feature is moved by others at least once.
    assert all(any(groups[i] == 1 for groups in orders) for i in range(8))
