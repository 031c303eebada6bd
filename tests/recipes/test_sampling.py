"""What is given to draws: labels by name, images by file, one for all or one each."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.data.transforms import States
from ancestral.errors import CapabilityError, ConfigError, DataError, RunError
from ancestral.networks import DAG
from ancestral.networks.units import InDataUnits
from ancestral.recipes import Run, encode_run, fit, sample_run
from ancestral.recipes.kinds import ways_of
from ancestral.recipes.sampling import Asked
from ancestral.recipes.scoring import score_rows
from ancestral.training import Budget


class Bright(nn.Module):
    """p(mask | image): 0.9 for a pixel's own side of 127, and a label that nothing depends on."""

    @property
    def graph(self) -> Mapping[str, DAG]:
        return {"p": DAG({"x": ("image",), "label": ()})}

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        p = 0.1 + 0.8 * ((given or {})["image"] > 127).float()
        return torch.rand((n, *p.shape[-3:]), generator=generator) < p

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        right = ((given or {})["image"] > 127) == (x > 0)
        return (0.1 + 0.8 * right.double()).log().flatten(1).sum(1)


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for seed in range(20):
        for name, shades in (("images", pixels(seed)), ("masks", (pixels(seed) > 127) * 255)):
            path = tmp_path / "data" / name / "ab"[seed % 2] / f"{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(shades.astype(np.uint8)).save(path)
    return tmp_path / "data"


@pytest.fixture
def run(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a run on masks given images, whose model is the one above."""
    found = fit("vae", pairs, settings={"size": "tiny"}, budget=Budget(steps=1), out=tmp_path / "r")
    monkeypatch.setattr(Run, "model", lambda _, **__: InDataUnits(Bright(), States()))
    return found


def test_images_are_given_by_file(run: Run, pairs: Path) -> None:
    path = str(pairs / "images" / "a" / "4.png")
    x = sample_run(run, 2_000, given={"image": path, "label": "b"})
    assert x.shape == (2_000, 1, 8, 8)
    # Five standard errors of a share of 2,000.
    expected = 0.1 + 0.8 * torch.from_numpy(pixels(4) > 127).double()
    assert (x[:, 0].double().mean(dim=0) - expected).abs().max() < 5 * 0.3 / 2_000**0.5
    assert torch.equal(x, sample_run(run, 2_000, given=[f"image={path}", "label=1"]))


def test_a_folder_of_images_is_one_for_each_draw(run: Run, pairs: Path, tmp_path: Path) -> None:
    answer = ways_of(run).draw(run, Asked(given=[f"image={pairs / 'images' / 'b'}"]))
    assert answer.facts == {"n": 10, "means": False}
    assert answer.place == run.folder / "samples"
    np.save(tmp_path / "three.npy", np.stack([pixels(seed) for seed in range(3)]))
    x = sample_run(run, 3, given={"image": str(tmp_path / "three.npy")})
    right = torch.stack([torch.from_numpy(pixels(seed) > 127) for seed in range(3)]) == x[:, 0]
    assert right.double().mean() > 0.75
    with pytest.raises(ConfigError, match="image must hold one image, or 5, one a draw, got 3"):
        sample_run(run, 5, given={"image": torch.zeros(3, 1, 8, 8, dtype=torch.uint8)})


def test_what_cannot_be_given_is_told(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes the nodes image, label, got 'mask'"):
        sample_run(run, 2, given={"mask": "1"})
    with pytest.raises(DataError, match="no such file or folder"):
        sample_run(run, 2, given={"image": str(tmp_path / "none.png")})
    Image.fromarray(np.zeros((8, 8, 3), np.uint8) + np.arange(3, dtype=np.uint8)).save(
        tmp_path / "red.png"
    )
    with pytest.raises(RunError, match=r"takes as image images of shape \[1, 8, 8\], .*red\.png"):
        sample_run(run, 2, given={"image": str(tmp_path / "red.png")})
    with pytest.raises(CapabilityError, match="top_k is of language models"):
        ways_of(run).draw(run, Asked(writing={"top_k": 3}))


def test_masks_are_scored_given_their_images(run: Run, pairs: Path) -> None:
    found = score_rows(run, str(pairs))
    assert found.kind == "exact"
    torch.testing.assert_close(
        found.scores["surprise"], torch.full((20,), -64 * np.log(0.9), dtype=torch.float64)
    )


def test_an_image_is_read_as_the_field_that_the_run_models(pairs: Path, tmp_path: Path) -> None:
    words = {"size": "tiny", "latent": 2, "split_seed": 1}
    mask = fit("vae", pairs, settings=words, budget=Budget(steps=2), out=tmp_path / "m")
    image = fit(
        "vae",
        pairs,
        settings={**words, "field": "image"},
        budget=Budget(steps=2),
        out=tmp_path / "i",
    )
    whole, _ = mask.examples(str(pairs))
    one, _ = mask.examples(str(pairs / "masks" / "a" / "0.png"))
    assert torch.equal(one.x, whole.x[:1])
    assert len(encode_run(image, str(pairs / "images")).mean) == 20
    np.save(tmp_path / "x.npy", np.stack([pixels(0)]))
    with pytest.raises(RunError, match="models images of 2 grey levels"):
        encode_run(mask, str(tmp_path / "x.npy"))
    (tmp_path / "grey").mkdir()
    Image.fromarray(pixels(0)).save(tmp_path / "grey" / "0.png")
    with pytest.raises(DataError, match=r"has the value .*, which is not one of 0, 255"):
        encode_run(mask, str(tmp_path / "grey" / "0.png"))
