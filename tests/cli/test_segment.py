"""A run that finds masks, from the folder to masks under the names of new images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ancestral.cli.app import run as command


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, random = tmp_path_factory.mktemp("cells"), np.random.default_rng(0)
    for name in ("photos", "truth"):
        (folder / name).mkdir()
    for seed in range(24):
        image = random.integers(0, 256, (8, 12), dtype=np.uint8)
        Image.fromarray(image).save(folder / "photos" / f"{seed}.png")
        Image.fromarray((image > 127).astype(np.uint8) * 255).save(folder / "truth" / f"{seed}.png")
    out = folder / "run"
    words = ["fit", "segment", folder / "photos", "--out", out, "--steps", 1]
    words += ["--set", "size=tiny", f"masks={folder / 'truth'}", "fractions=0.1,0.2"]
    assert command([*map(str, words)]) == 0
    return out


def test_masks_are_written_under_the_names_of_the_images(
    cli: Callable, run: Path, tmp_path: Path
) -> None:
    images, out = run.parent / "photos", tmp_path / "masks"
    words = ["sample", run, "--given", f"image={images}", "--out", out]
    assert cli(*words, "--json").json["classes"] == ["0", "255"]
    written = sorted(path.name for path in out.glob("*.png"))
    assert written == sorted(path.name for path in images.iterdir())
    mask = np.asarray(Image.open(out / "3.png"))
    assert mask.shape == (8, 12)
    assert {*np.unique(mask)} <= {0, 255}
    assert "exists; choose another --out" in cli(*words).line
    assert cli(*words, "--overwrite", "--set", "temperature=1").status == 0
    one = tmp_path / "one.png"
    assert cli("sample", run, "--given", f"image={images / '3.png'}", "--out", one).status == 0
    assert np.asarray(Image.open(one)).shape == (8, 12)


def test_an_image_must_be_given(cli: Callable, run: Path) -> None:
    assert "is given images: --given image=FILE or FOLDER" in cli("sample", run).line
    found = cli("sample", run, "--given", "image=/nowhere.png")
    assert "/nowhere.png: no image, and no folder of images" in found.line


def test_draws_of_one_image(cli: Callable, run: Path, tmp_path: Path) -> None:
    image, out = run.parent / "photos" / "3.png", tmp_path / "draws.npy"
    words = ["sample", run, "-n", 5, "--given", f"image={image}", "--out", out]
    assert cli(*words, "--set", "temperature=1").status == 0
    draws = np.load(out)
    assert draws.shape == (5, 1, 8, 12)
    assert {*np.unique(draws)} == {0, 1}


def test_held_out_pairs_are_measured(cli: Callable, run: Path) -> None:
    figures = cli("evaluate", run, "--json").json["figures"]
    for name in ("iou", "iou_255", "dice_0", "pixel_accuracy"):
        assert figures[name]["unit"] == "share"
    assert figures["log_prob"]["unit"] == "nats given the image"
