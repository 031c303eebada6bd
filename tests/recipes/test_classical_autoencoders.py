from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ancestral.data import load
from ancestral.errors import ConfigError
from ancestral.recipes import fit, plan
from ancestral.training import Budget

MODELS = ("ae", "sparse-ae", "contractive-ae", "denoising-ae")


@pytest.mark.parametrize("name", MODELS)
def test_images_of_any_side_and_labels_that_skip_a_class(name: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 9, 9), dtype=np.uint8)
    data = tmp_path / "odd.npz"
    np.savez(data, x=images, label=np.arange(40) % 2 * 7)
    run = fit(name, data, settings={"size": "tiny"}, budget=Budget(steps=2), out=tmp_path / "run")
    model, x = run.model(), run.data().test.x
    assert model.decode(model.encode(x).mean).shape == x.shape
    assert model.sample(3).shape == (3, 1, 9, 9)
    figure = run.record.result.best
    assert figure is not None
    assert (figure.kind, figure.unit) == ("loss", "squared units")


@pytest.mark.parametrize("name", MODELS)
def test_constant_columns_come_back_as_they_are(name: str, tmp_path: Path) -> None:
    rows = torch.stack((torch.arange(40.0), torch.full((40,), 3.0), torch.arange(40.0).sin()), 1)
    run = fit(name, rows, settings={"size": "tiny"}, budget=Budget(steps=2), out=tmp_path / "run")
    model = run.model()
    back = model.decode(model.encode(rows.double()).mean)
    assert back[:, 1].tolist() == [3.0] * 40
    assert back.isfinite().all()


def test_numbers_come_back_as_they_were_recorded(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "".join(f"{i},{i * i % 17}\n" for i in range(60)))
    run = fit("ae", table, settings={"size": "tiny"}, budget=Budget(steps=2), out=tmp_path / "run")
    model, x = run.model(), run.data().test.x
    assert torch.equal(model.transform.inverse(model.transform(x)), x)
    back = model.decode(model.encode(x).mean)
    assert torch.equal(back, back.round())
    assert torch.equal(back, model.decode(model.encode(x).mean))  # Nothing is drawn.


def built(name: str, data: str, settings: dict[str, object]) -> nn.Module:
    made = plan(name, load(data), settings=settings)
    return made.build(made.transform())


def test_the_book_autoencoder_of_garments_is_a_setting() -> None:
    settings = {"network": "dense", "hidden": "256,128", "latent": 64, "corruption": "masking"}
    model = built("denoising-ae", "digits", settings)
    less = 784 - 64  # Pixels, beside those of the book's images.
    assert sum(p.numel() for p in model.parameters()) == 484_944 - (2 * 256 + 1) * less


@pytest.mark.parametrize(
    ("name", "data", "settings", "line"),
    [
        ("ae", "moons", {"network": "convolutions"}, "network must be dense or linear of rows"),
        ("ae", "moons", {"latent": 0}, "latent must be at least 1, got 0"),
        ("ae", "moons", {"hidden": "8,0"}, "hidden must be one or more numbers of at least 1"),
        ("ae", "digits", {"tied": True}, "tied must be left out of convolutions"),
        ("denoising-ae", "digits", {"level": "0.5,1.5"}, "level must be two numbers"),
        ("denoising-ae", "digits", {"level": "0.5,0.1"}, "the least first"),
        ("sparse-ae", "digits", {"power": 0.5}, "power must be at least 1"),
        ("contractive-ae", "digits", {"probes": -1}, "probes must be at least 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    name: str, data: str, settings: dict[str, object], line: str
) -> None:
    with pytest.raises(ConfigError, match=line):
        built(name, data, settings)


def test_rows_are_corrupted_by_noise_and_images_by_salt_and_pepper() -> None:
    found = {name: plan("denoising-ae", load(name)).config for name in ("moons", "digits")}
    assert found["moons"].corruption == "gaussian"
    assert (found["digits"].corruption, found["digits"].level) == ("salt-and-pepper", (0.3, 0.7))
