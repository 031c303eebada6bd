import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ancestral.training.muon import move_by_muon, orthogonalise


@given(st.integers(1, 40), st.integers(1, 40), st.floats(-12, 12), st.integers(0, 2**31))
def test_singular_vectors_stay_and_singular_values_come_near_one(
    rows: int, columns: int, scale: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    u, _ = torch.linalg.qr(torch.randn(rows, rows, generator=generator, dtype=torch.float64))
    v, _ = torch.linalg.qr(torch.randn(columns, columns, generator=generator, dtype=torch.float64))
    rank = min(rows, columns)
    # From a tenth of the largest on the five steps reach the band; smaller ones are on their way.
    values = torch.linspace(0.2, 1.0, rank, dtype=torch.float64) * 10.0**scale
    matrix = u[:, :rank] * values @ v[:, :rank].T
    found = u[:, :rank].T @ orthogonalise(matrix) @ v[:, :rank]
    if 10.0**scale > 1e-4:  # Far below, the number that keeps zero from dividing takes part.
        assert (found.diagonal() > 0.6).all()
    assert (found.diagonal() < 1.3).all()
    assert (found - found.diagonal().diag()).abs().max() < 1e-9


def test_zeros_stay_zeros() -> None:
    assert not orthogonalise(torch.zeros(3, 5)).any()


@pytest.mark.parametrize("shape", [(24, 8), (8, 24), (16, 16)])
def test_it_moves_as_torch_does(shape: tuple[int, int]) -> None:
    ours, theirs = nn.Parameter(torch.randn(shape)), None
    theirs = nn.Parameter(ours.detach().clone())
    start = ours.detach().clone()
    peer = torch.optim.Muon(
        [theirs], lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    momentum = torch.zeros(shape)
    for step in range(4):
        gradient = torch.sin(start * (step + 1))
        theirs.grad = gradient.clone()
        peer.step()
        scaled = (4.0 * gradient, torch.tensor(4.0)) if step % 2 else (gradient, None)
        move_by_muon(
            ([ours], [scaled[0]], [momentum]), rate=0.02, weight_decay=0.1, divisor=scaled[1]
        )
    moved, expected = ours.detach() - start, theirs.detach() - start
    # torch iterates in bf16, whose digits are 4e-3: the directions agree to a percent or two.
    assert (moved - expected).norm() < 0.03 * expected.norm()
