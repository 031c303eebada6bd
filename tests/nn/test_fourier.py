import pytest
import torch

from ancestral.nn.fourier import FourierFeatures


def test_features_are_the_input_and_the_waves_of_the_directions() -> None:
    layer = FourierFeatures(3, frequencies=5).double()
    x = torch.randn(7, 3, dtype=torch.float64)
    phase = x @ layer.directions.T
    torch.testing.assert_close(layer(x), torch.cat((x, phase.sin(), phase.cos()), dim=-1))
    assert layer(x).shape[-1] == layer.features_out == 13


def test_the_scale_is_that_of_the_phase_in_any_dimension() -> None:
    for features in (1, 2, 100):
        torch.manual_seed(0)
        layer = FourierFeatures(features, frequencies=2000, scale=1.4)
        phase = torch.randn(200, features) @ layer.directions.detach().T
        # 200 points or 2000 directions of one number each: a standard error of at most 0.1.
        assert phase.std().item() == pytest.approx(1.4, abs=0.3)


def test_no_frequency_is_refused() -> None:
    with pytest.raises(ValueError, match="frequencies must be at least 1, got 0"):
        FourierFeatures(2, frequencies=0)
