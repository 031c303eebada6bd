import math

import pytest
import torch

from ancestral.data import Dataset, Examples, Loading
from ancestral.data.columns import Vector
from ancestral.data.fields import Image
from ancestral.errors import ConfigError


def test_index_takes_x_and_given_together() -> None:
    examples = Examples(torch.arange(6.0)[:, None], {"label": torch.arange(6)})
    some = examples[torch.tensor([4, 1])]
    assert some.x[:, 0].tolist() == some.given["label"].tolist() == [4, 1]
    assert len(examples[1:3]) == 2
    assert len(examples[examples.given["label"] > 3]) == 2


@pytest.mark.parametrize(
    ("shape", "count"), [((3, 218, 178), 116_412), ((1, 28, 28), 784), ((2,), 2)]
)
def test_dimensions_of_the_books_examples(shape: tuple[int, ...], count: int) -> None:
    # GP-11: a CelebA photo has 116,412 numbers, an MNIST digit 784 (not 728).
    examples = Examples(torch.zeros(1, *shape))
    fields = {"x": (Image if len(shape) > 1 else Vector).of(examples.x)}
    data = Dataset(
        name="", source="", fields=fields, train=examples, validation=examples, test=examples
    )
    assert data.event_shape == shape
    assert data.event_shape.numel() == math.prod(shape) == count


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"size": 0}, "size must be between 1 and 4096 pixels, got 0"),
        ({"fractions": (0.5, 0.5)}, r"got \(0.5, 0.5\)"),
        ({"fractions": (0.0, 0.1)}, r"got \(0.0, 0.1\)"),
    ],
)
def test_settings_outside_their_range_are_refused(setting: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Loading(**setting)
