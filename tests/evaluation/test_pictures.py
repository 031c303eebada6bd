import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from ancestral.evaluation import pictures


def opened(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGBA"))


def test_a_data_uri_holds_the_bytes() -> None:
    head, body = pictures.data_uri(b"\x89PNG").split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == b"\x89PNG"


def test_a_strip_keeps_every_pixel_and_leaves_clear_gaps() -> None:
    images = torch.randint(0, 17, (5, 1, 8, 6)).to(torch.uint8)
    strip = opened(pictures.image_strip(images, 17))
    assert strip.shape == (8, 5 * 6 + 4, 4)
    for i, image in enumerate(images):
        cell = strip[:, i * 7 : i * 7 + 6]
        np.testing.assert_array_equal(cell[..., 0], np.round(image[0].numpy() * (255 / 16)))
        assert (cell[..., 3] == 255).all()
    assert (strip[:, 6, 3] == 0).all()


def test_colours_are_kept() -> None:
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[0, 0], images[1, 2] = 255, 128
    strip = opened(pictures.image_strip(images, 256))
    assert strip.shape == (4, 9, 4)
    assert strip[0, 0].tolist() == [255, 0, 0, 255]
    assert strip[0, 5].tolist() == [0, 0, 128, 255]


@pytest.mark.parametrize("shape", [(0, 1, 8, 8), (3, 2, 8, 8), (8, 8)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="images must be"):
        pictures.image_strip(torch.zeros(shape, dtype=torch.uint8), 256)


def test_a_density_map_is_brighter_where_the_density_is_higher() -> None:
    values = torch.tensor([-torch.inf, -5.0, torch.nan, 0.0])
    colors = opened(pictures.density_map(values, low=-5.0, high=0.0))
    assert colors.shape == (2, 2, 4)
    assert (colors[0, 0] == colors[0, 1]).all()
    assert (colors[0, 0] == colors[1, 0]).all()
    assert int(colors[1, 1, :3].astype(int).sum()) > int(colors[0, 0, :3].astype(int).sum())
    bar = opened(pictures.color_bar())
    assert (bar[0, 0] == colors[0, 0]).all()
    assert (bar[0, -1] == colors[1, 1]).all()
