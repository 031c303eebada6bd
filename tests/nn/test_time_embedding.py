import math

import pytest
import torch

from ancestral.nn.time_embedding import TimeEmbedding


def test_the_network_sees_sines_and_cosines_of_the_time() -> None:
    layer = TimeEmbedding(6, frequencies=3, highest=100.0).double()
    time = torch.rand(4, dtype=torch.float64)
    rates = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)
    phase = time[:, None] * rates
    waves = torch.cat((phase.sin(), phase.cos()), dim=1)
    torch.testing.assert_close(layer(time), layer.network(waves), rtol=1e-5, atol=1e-6)


def test_labels_add_a_row_and_none_is_the_last() -> None:
    layer = TimeEmbedding(6, classes=3).double()
    time, label = torch.rand(4, dtype=torch.float64), torch.tensor([0, 1, 2, 3])
    assert layer.labels is not None
    bare = layer(time) - layer.labels.weight[3]
    torch.testing.assert_close(layer(time, label), bare + layer.labels.weight)
    torch.testing.assert_close(layer(time, torch.full((4,), 3)), layer(time))


def test_an_interval_has_two_times_that_both_count() -> None:
    layer = TimeEmbedding(6, times=2).double()
    time = torch.rand(4, 2, dtype=torch.float64)
    assert layer(time).shape == (4, 6)
    assert not torch.allclose(layer(time), layer(time.flip(1)))
    assert not torch.allclose(layer(time), layer(time * torch.tensor([1.0, 0.5])))


def test_neighbouring_times_are_told_apart_and_close() -> None:
    layer = TimeEmbedding(8).double()
    here, near = layer(torch.tensor([0.5, 0.501], dtype=torch.float64))
    assert 0 < float((here - near).detach().norm()) < math.sqrt(8)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"width": 4, "classes": -1}, "classes must be at least 0, got -1"),
        ({"width": 4, "times": 0}, "times must be at least 1, got 0"),
        ({"width": 4, "frequencies": 1}, "frequencies must be at least 2, got 1"),
        ({"width": 4, "highest": 1.0}, "highest must be above 1, got 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TimeEmbedding(**setting)


def test_a_label_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="no classes"):
        TimeEmbedding(4)(torch.rand(2), torch.zeros(2, dtype=torch.int64))
