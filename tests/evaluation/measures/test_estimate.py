import math

import pytest
import torch

from ancestral.evaluation.measures.estimate import mean_of, require_pair, share_of


def test_mean_of_known_values() -> None:
    found = mean_of(torch.tensor([1.0, 2.0, 3.0]))
    assert found.value == 2.0
    assert found.se == pytest.approx(1 / math.sqrt(3))


def test_share_is_never_certain() -> None:
    found = share_of(torch.ones(100, dtype=torch.bool))
    assert found.value == 1.0
    # (100 + 1/2) / (100 + 1) in place of the share.
    assert found.se == pytest.approx(math.sqrt(100.5 / 101 * 0.5 / 101 / 100))


def test_one_value_has_no_error() -> None:
    with pytest.raises(ValueError, match="at least 2 values, got 1"):
        mean_of(torch.zeros(1))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.zeros(3), torch.zeros(3, 1), r"x must be \[N, D\], got shape \(3,\)"),
        (torch.zeros(3, 2), torch.zeros(1, 2), "y needs at least 2 rows, got 1"),
        (torch.full((3, 2), torch.nan), torch.zeros(3, 2), "x must be finite"),
        (torch.zeros(3, 2), torch.zeros(3, 1), "same columns, got 2 and 1"),
    ],
)
def test_pairs_that_cannot_be_compared_are_refused(
    x: torch.Tensor, y: torch.Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        require_pair(x, y, least=2)
