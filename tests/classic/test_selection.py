import pytest
import torch

from ancestral.classic.selection import best_components
from ancestral.telling import watched


def test_the_number_of_clusters_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 2, generator=generator) + 12.0 * (torch.arange(600)[:, None] % 4)
    assert best_components(x, [1, 2, 4], generator=generator) == 4
    blob = torch.randn(300, 2, generator=generator)
    assert best_components(blob, [1, 30], least_variance=1e-6, generator=generator) == 1


def test_where_time_is_up_the_candidates_so_far_are_compared() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 2, generator=generator) + 12.0 * (torch.arange(200)[:, None] % 2)
    with watched(seconds=0.0):
        assert best_components(x, [1, 2], generator=generator) == 1
    assert best_components(x, [1, 2], generator=generator) == 2


def test_impossible_candidates_are_passed_over() -> None:
    assert best_components(torch.randn(10, 1), [2, 500]) == 2
    with pytest.raises(ValueError, match="candidates must have one of 1 to 8, got"):
        best_components(torch.randn(10, 1), [9])
    with pytest.raises(ValueError, match=r"held_out must be in \(0, 1\), got 1"):
        best_components(torch.randn(10, 1), [1], held_out=1)
