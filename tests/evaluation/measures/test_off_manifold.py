import pytest
import torch

from ancestral.evaluation.measures.off_manifold import off_manifold


def test_share_beyond_the_distance(float64: None) -> None:
    line = torch.stack((torch.linspace(0, 1, 1001), torch.zeros(1001)), dim=1)
    samples = torch.tensor([[0.5, 0.0], [0.5, 0.04], [0.5, 0.06], [1.1, 0.0]])
    assert off_manifold(samples, line).value == 0.5
    assert off_manifold(samples, line, distance=0.2).value == 0.0


def test_noise_across_a_line_has_a_closed_form(float64: None) -> None:
    line = torch.stack((torch.linspace(-5, 5, 100_001), torch.zeros(100_001)), dim=1)
    samples = torch.stack((torch.rand(4000), 0.05 * torch.randn(4000)), dim=1)
    found = off_manifold(samples, line)
    # P(|N(0, 1)| > 1) = 0.3173.
    assert found.value == pytest.approx(0.3173, abs=5 * found.se)
