import pytest
import torch

from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import Image
from ancestral.errors import ConfigError
from ancestral.evaluation.setting import Setting, Sizes


def dataset(train: int, test: int, *event: int) -> Dataset:
    splits = {"train": train, "validation": test, "test": test}
    return Dataset(
        name="zeros",
        source="zeros",
        fields={"x": (Vector if len(event) == 1 else Image).of(torch.zeros(1, *event))},
        **{split: Examples(torch.zeros(n, *event)) for split, n in splits.items()},
    )


def test_small_data_are_used_whole() -> None:
    sizes = Sizes.of(Setting(), dataset(1437, 180, 1, 8, 8))
    assert (sizes.samples, sizes.references, sizes.radii) == (1437, 180, 180)
    assert sizes.weighted == 180


def test_large_data_give_the_sizes_asked_for() -> None:
    sizes = Sizes.of(Setting(samples=100, references=50), dataset(1000, 1000, 2))
    assert (sizes.samples, sizes.references, sizes.radii) == (100, 50, 50)


def test_wide_examples_are_fewer_in_the_costly_measures() -> None:
    wide, narrow = (Sizes.of(Setting(), dataset(10_000, 10_000, d)) for d in (65, 64))
    assert wide.classifier < narrow.classifier
    assert wide.neighbours < narrow.neighbours
    assert wide.weighted < narrow.weighted


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"samples": 19}, "samples must be at least 20, got 19"),
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"radii": 5, "k": 5}, "radii must be more than k = 5, got 5"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Setting(**values)
