"""Draws in steps from the command line: how many, by what, how far guided, and what is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Fitted = Callable[[str], Path]


def drawn(cli: Callable, run: Path, *options: object) -> np.ndarray:
    out = run / "drawn.npy"
    answer = cli("sample", run, "-n", 3, "--json", "--out", out, "--overwrite", *options)
    assert answer.status == 0, answer.err
    return np.load(out)


def test_steps_sampler_and_guidance_are_options(cli: Callable, fitted: Fitted) -> None:
    run = fitted("diffusion-digits")
    usual = drawn(cli, run, "--given", "label=3", "--steps", 4)
    same = drawn(cli, run, "--given", "label=3", "--set", "steps=4")
    assert np.array_equal(usual, same)
    for options in (("--steps", 5), ("--steps", 4, "--guidance", 500)):
        other = drawn(cli, run, "--given", "label=3", *options)
        assert not np.array_equal(usual, other), options


@pytest.mark.parametrize(
    ("run", "options", "words"),
    [
        ("diffusion-digits", ("--steps", 0), "steps must be at least 1, got 0"),
        ("diffusion-digits", ("--sampler", "plms"), "sampler must be one of dpmpp-2m"),
        ("diffusion-digits", ("--guidance", -1), "guidance must be at least 0, got -1"),
        ("diffusion-table", ("--guidance", 2), "guidance is of models that are given labels"),
        ("vae-table", ("--steps", 3), "vae has nothing to set in sampling, got steps"),
        ("gan-table", ("--sampler", "heun"), "unknown setting 'sampler'; there are truncation"),
        ("diffusion-table", ("--edit", "x.png"), "--edit is of images"),
        ("image-vae-digits", ("--edit", "x.png"), "--edit is of diffusion and score models"),
        ("diffusion-digits", ("--mask", "x.png"), "--mask needs --edit IMAGE"),
        ("diffusion-digits", ("--edit", "nothing.png"), "nothing.png: no such file"),
    ],
)
def test_what_cannot_be_is_one_line(
    cli: Callable, fitted: Fitted, run: str, options: tuple[object, ...], words: str
) -> None:
    assert words in cli("sample", fitted(run), *options).line


def test_known_pixels_come_back_to_the_bit(cli: Callable, fitted: Fitted, tmp_path: Path) -> None:
    run, random = fitted("diffusion-digits"), np.random.default_rng(0)
    whole = random.integers(0, 17, (8, 8))
    image, mask = np.round(whole * (255 / 16)).astype(np.uint8), np.zeros((8, 8), np.uint8)
    mask[4:] = 255
    Image.fromarray(image).save(tmp_path / "whole.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    edit = ("--edit", tmp_path / "whole.png", "--steps", 3)
    x = drawn(cli, run, *edit, "--mask", tmp_path / "mask.png", "--sampler", "repaint")
    assert x.shape == (3, 1, 8, 8)
    assert (x[:, 0, :4] == whole[:4]).all()
    assert len({row.tobytes() for row in x[:, 0, 4:]}) == 3
    assert "all of it is known" in cli("sample", run, *edit).line
    Image.fromarray(0 * mask).save(tmp_path / "dark.png")
    dark = cli("sample", run, *edit, "--mask", tmp_path / "dark.png")
    assert "--mask must be bright where there is to be drawn" in dark.line


def test_small_images_are_enlarged(cli: Callable, fitted: Fitted, tmp_path: Path) -> None:
    small = np.full((4, 4), 128, np.uint8)
    Image.fromarray(small).save(tmp_path / "small.png")
    x = drawn(cli, fitted("diffusion-digits"), "--edit", tmp_path / "small.png", "--steps", 3)
    means = x[:, 0].reshape(3, 4, 2, 4, 2).mean((2, 4))
    # Each of four pixels is rounded to a level, and none lies outside the range.
    assert abs(means - 8).mean() < 1.5


def test_a_diffusion_stands_on_an_autoencoder(
    cli: Callable, fitted: Fitted, tmp_path: Path
) -> None:
    own = ["--set", "size=tiny", "--steps", 5, "--threads", 1]
    part = fitted("image-vae-digits")
    run = tmp_path / "latent"
    made = cli("fit", "diffusion", "digits", "--set", f"autoencoder={part}", *own, "--out", run)
    assert made.status == 0, made.err
    x = drawn(cli, run, "--given", "label=3", "--steps", 4, "--guidance", 2)
    assert x.shape == (3, 1, 8, 8)
    assert "--edit is of diffusion and score models" in cli("sample", run, "--edit", "x.png").line
    other = fitted("vae-table")
    words = cli("fit", "diffusion", "digits", "--set", f"autoencoder={other}", *own).line
    assert "autoencoder must be a run on the same data" in words
    none = cli("fit", "diffusion", "digits", "--set", f"autoencoder={fitted('kde-digits')}", *own)
    assert "autoencoder" in none.line


def test_a_diffusion_of_a_mixed_table_stands_on_no_autoencoder(
    cli: Callable, tmp_path: Path
) -> None:
    own = ["--set", "size=tiny", "--steps", 3, "--threads", 1]
    data, part, out = tmp_path / "mixed.csv", tmp_path / "vae", tmp_path / "latent"
    rows = [f"{'fm'[n % 2]},{n % 7}.5" for n in range(60)]
    data.write_text("\n".join(["sex,size", *rows]) + "\n")
    assert cli("fit", "vae", data, *own, "--out", part).status == 0
    setting = f"autoencoder={part}"
    line = cli("fit", "diffusion", data, *own, "--set", setting, "--out", out).err
    assert "autoencoder must be left out of mixed tables" in line
    assert not out.exists()
