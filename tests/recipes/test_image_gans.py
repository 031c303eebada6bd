"""The adversarial models of images as runs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from ancestral.adversarial import GrowingGAN
from ancestral.data import load
from ancestral.errors import ConfigError
from ancestral.networks.latent import grid, walk
from ancestral.recipes import fit, plan, resume, start
from ancestral.training import Budget
from ancestral.training.checkpoint import load_tensors

NAMES = ("dcgan", "sagan", "progan", "stylegan")
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)
TINY = {"size": "tiny", "validate_every": 4, "batch_size": 16}


@pytest.mark.parametrize("name", NAMES)
def test_a_run_samples_and_has_ways_between_examples(name: str, tmp_path: Path) -> None:
    run = fit(name, "digits", settings=TINY, budget=Budget(steps=4), out=tmp_path / "run")
    model, corners = run.model(), run.data().test[:4]
    assert model.sample(4, given={"label": torch.tensor([0, 1, 2, 3])}).shape == (4, 1, 8, 8)
    assert walk(model, corners[:1], corners[1:2], 3).shape == (3, 1, 8, 8)
    assert grid(model, corners, 2).shape == (4, 1, 8, 8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("labelled", [True, False])
def test_images_in_colour_of_other_sides_with_labels_or_without_are_played_with(
    name: str, labelled: bool, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).integers(256, size=(60, 16, 16, 3), dtype=np.uint8)
    more = {"label": np.arange(60) % 2} if labelled else {}
    np.savez(tmp_path / "data.npz", x=x, **more)
    settings = {**TINY, "width": 4}
    run = fit(
        name, tmp_path / "data.npz", settings=settings, budget=Budget(steps=1), out=tmp_path / "run"
    )
    assert run.record.config.conditional == labelled
    assert run.model().sample(2).shape == (2, 3, 16, 16)


def test_spectral_norms_of_sagan_are_in_both_networks(tmp_path: Path) -> None:
    for spectral in (True, False):
        chosen = plan("sagan", "digits", settings={**TINY, "spectral": spectral})
        model = start(chosen, tmp_path / str(spectral)).model
        assert model is not None
        for network in (model.network.generator.layers, model.network.critic):
            layers = [part for part in network.modules() if isinstance(part, LAYERS)]
            assert len(layers) > 4
            assert all(is_parametrized(layer, "weight") == spectral for layer in layers)


@pytest.mark.bits
def test_growth_goes_on_bit_for_bit_after_a_stop_in_a_fade(tmp_path: Path) -> None:
    whole, stopped = (
        start(plan("progan", "digits", settings=TINY, budget=Budget(steps=12)), tmp_path / name)
        for name in ("whole", "stopped")
    )
    for _ in whole:
        pass
    for report in stopped:
        if report.step == 4:
            stopped.stop()
    assert isinstance(stopped.model.network, GrowingGAN)
    assert 0 < float(stopped.model.network.generator.growth.alpha) < 1
    for _ in resume(tmp_path / "stopped"):
        pass
    one, two = (
        load_tensors(tmp_path / name / "checkpoint" / "step-000000012.safetensors")[0]
        for name in ("whole", "stopped")
    )
    assert one.keys() == two.keys()
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_truncation_of_styles_is_a_share_and_0_is_the_mean_image(tmp_path: Path) -> None:
    run = fit("stylegan", "digits", settings=TINY, budget=Budget(steps=1), out=tmp_path / "run")
    mean = run.model(sampling={"truncation": 0})
    how = {"label": 3, "noise": torch.zeros(mean.network.styled.noise)}
    x = mean.sample(5, given=how)
    assert torch.equal(x, x[:1].expand_as(x))
    with pytest.raises(ConfigError, match=r"truncation must be in \[0, 1\], got 2"):
        run.model(sampling={"truncation": 2})


@pytest.mark.parametrize(
    ("name", "settings", "line"),
    [
        ("dcgan", {"batch_size": 5000}, "batch_size must be at most the 1,437 examples"),
        ("gan", {"batch_size": 5000}, "batch_size must be at most the 1,437 examples"),
        ("cgan", {"batch_size": 1438}, "of the training split, got 1438"),
        ("stylegan", {"latent": 0}, "latent must be at least 1, got 0"),
        ("progan", {"latent": -2}, "latent must be at least 1, got -2"),
        ("sagan", {"attention": 3}, "attention must be 0 or the side of a map inside, 4, got 3"),
        ("stylegan", {"mixing": 2}, r"mixing must be in \[0, 1\], got 2"),
        ("progan", {"pixels": 9}, "images must have a side .* got 9"),
    ],
)
def test_a_mistake_is_one_line(
    name: str, settings: dict[str, object], line: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=line) as caught:
        start(plan(name, "digits", settings=settings), tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", NAMES)
def test_latents_of_another_size_are_named(name: str, tmp_path: Path) -> None:
    settings = {**TINY, "latent": 6}
    chosen = plan(name, load("digits"), settings=settings, budget=Budget(steps=1))
    model = start(chosen, tmp_path / "run").model
    assert model is not None
    label = {"label": torch.tensor([0, 1])}
    with pytest.raises(ValueError, match=r"z must have shape \[B, 6\], got \[2, 5\]"):
        model.decode(torch.zeros(2, 5), given=label)
    with pytest.raises(ValueError, match=r"'z' must have shape \[6\] or \[2, 6\], got \[2, 5\]"):
        model.sample(2, given={**label, "z": torch.zeros(2, 5)})
