from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ancestral
from ancestral import edit_images
from ancestral.errors import ConfigError
from ancestral.training import Budget


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on small colour images, hardly trained."""
    folder, random = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    for number in range(60):
        pixels = random.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    out, end = folder.parent / "colours-run", Budget(steps=2)
    ancestral.fit("diffusion", str(folder), settings={"size": "tiny"}, budget=end, out=out)
    return out


def save(pixels: np.ndarray, path: Path) -> str:
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return str(path)


def test_known_pixels_keep_every_bit(colours: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    whole = random.integers(0, 256, (8, 8, 3))
    mask = np.zeros((8, 8))
    mask[:, 5:] = 255
    source = save(whole, tmp_path / "whole.png")
    how = {"mask": save(mask, tmp_path / "mask.png"), "settings": {"steps": 3}}
    x = edit_images(colours, source, n=4, **how)
    assert x.shape == (4, 3, 8, 8)
    assert x.dtype == torch.uint8
    known = torch.from_numpy(whole.transpose(2, 0, 1))
    assert torch.equal(x[:, :, :, :5].long(), known[:, :, :5].expand(4, -1, -1, -1))
    assert torch.equal(x, edit_images(colours, source, n=4, **how))
    assert not torch.equal(x, edit_images(colours, source, n=4, seed=1, **how))
    assert len(edit_images(colours, source, **how)) == 16


def test_grey_images_are_coloured_and_small_ones_enlarged(colours: Path, tmp_path: Path) -> None:
    how = {"n": 3, "settings": {"steps": 3}}
    grey = save(np.full((8, 8), 120), tmp_path / "grey.png")
    x = edit_images(colours, grey, **how).float()
    # Three levels are rounded and none leaves the range: the mean is near, and the colours differ.
    assert float((x.mean(1) - 120).abs().mean()) < 15
    assert float(x.std(1).mean()) > 1
    small = save(np.full((4, 4, 3), 100), tmp_path / "small.png")
    x = edit_images(colours, small, **how).float()
    means = torch.nn.functional.avg_pool2d(x, 2)
    assert float((means - 100).abs().mean()) < 15


def test_a_folder_gives_one_draw_an_image(colours: Path, tmp_path: Path) -> None:
    for number in range(3):
        save(np.full((4, 4, 3), 60 * number + 20), tmp_path / f"{number}.png")
    x = edit_images(colours, str(tmp_path), settings={"steps": 2})
    assert x.shape == (3, 3, 8, 8)
    with pytest.raises(ConfigError, match="edit must hold one image, or 4, one a draw, got 3"):
        edit_images(colours, str(tmp_path), n=4)
