import numpy as np
import pytest
import torch
from PIL import Image

from ancestral.data.images import choose_size, fit_size, square


@pytest.mark.parametrize(
    ("shapes", "asked", "size"),
    [
        ([(28, 28)], None, None),
        ([(64, 64)], None, None),
        ([(65, 65)], None, 32),
        ([(28, 30)], None, 32),
        ([(28, 28), (30, 30)], None, 32),
        ([(28, 28)], 32, 32),
        ([(28, 28)], 28, None),
        ([(28, 28), (30, 30)], 28, 28),
    ],
)
def test_choice_of_a_size(
    shapes: list[tuple[int, int]], asked: int | None, size: int | None
) -> None:
    assert choose_size(shapes, asked) == size


def test_the_crop_is_the_central_square() -> None:
    pixels = np.zeros((4, 8), np.uint8)
    pixels[:, 2:6] = np.arange(16).reshape(4, 4)
    np.testing.assert_array_equal(square(Image.fromarray(pixels), 4), pixels[:, 2:6])


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    stripes[..., ::2] = 200
    small, _ = fit_size(stripes, 8)
    # A stripe of 200 and one of 0 average to 100; a filter of even width keeps within a level.
    assert (small[..., 1:-1].int() - 100).abs().max() <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_are_resized_image_by_image(channels: int) -> None:
    x = torch.randint(0, 17, (5, channels, 8, 8), dtype=torch.uint8)
    large, notes = fit_size(x, 16)
    assert large.shape == (5, channels, 16, 16)
    assert large.max() <= 16, "interpolation adds no levels"
    assert notes == ("images of 8x8 cropped to their central square and resized to 16x16",)
    back, _ = fit_size(large, 8)
    assert (back.float() - x.float()).abs().mean() < 3
    same, silent = fit_size(x, None)
    assert same is x
    assert silent == ()
