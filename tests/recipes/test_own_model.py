"""The model of the tutorial, and others of one's own, from Python and from the command line."""
# ruff: noqa: ARG002 - the models here keep the whole signature of their capabilities.

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn

import ancestral
from ancestral.capabilities import Encodes, Given
from ancestral.data.fields import Shape
from ancestral.errors import ConfigError, RunError
from ancestral.networks.units import InDataUnits
from ancestral.recipes import Recipe, Run, compare, evaluate_run, recipe_named
from ancestral.settings import chosen

PAGE = Path(__file__).resolve().parents[2] / "docs" / "en" / "tutorials" / "own-model.md"


@pytest.fixture
def laplace(tmp_path: Path) -> Path:
    path = tmp_path / "laplace.py"
    block = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert block is not None
    path.write_text(block[1])
    return path


def ancestral_command(*words: str, folder: Path, family: Path) -> str:
    found = subprocess.run(
        [sys.executable, "-m", "ancestral", *words],
        cwd=folder,
        env={**os.environ, "ANCESTRAL_FAMILIES": str(family)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_the_model_of_the_tutorial_from_the_command_line(laplace: Path, tmp_path: Path) -> None:
    def run(*words: str) -> str:
        return ancestral_command(*words, folder=tmp_path, family=laplace)

    assert "laplace-mixture" in run("models")
    models = ["--models", "laplace-mixture,gmm", "--set", "gmm.components=2"]
    run("compare", "moons", *models, "--steps", "3", "--out", "both")
    assert "laplace-mixture" in (tmp_path / "both" / "report.html").read_text()
    # The run opens again in another process.
    rows = run("sample", "both/laplace-mixture", "-n", "3").splitlines()
    assert len(rows) == 4
    assert '"log_prob"' in run("evaluate", "both/laplace-mixture", "--json")


def test_without_its_file_the_run_says_what_is_missing(laplace: Path, tmp_path: Path) -> None:
    words = ("fit", "laplace-mixture", "moons", "--steps", "2", "--out", "run")
    ancestral_command(*words, folder=tmp_path, family=laplace)
    with pytest.raises(ConfigError, match=r"unknown model 'laplace-mixture'.*ANCESTRAL_FAMILIES"):
        Run.open(tmp_path / "run")


def test_a_family_that_breaks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "broken.py"
    path.write_text("raise RuntimeError('no\\nluck')")
    monkeypatch.setenv("ANCESTRAL_FAMILIES", str(path))
    with pytest.raises(ConfigError, match=r"broken.py cannot be imported: RuntimeError: no luck$"):
        recipe_named("mine")
    monkeypatch.setenv("ANCESTRAL_FAMILIES", str(tmp_path / "none.py"))
    with pytest.raises(ConfigError, match="there is no file"):
        recipe_named("mine")


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalConfig:
    scale: float = 1.0


class NormalModel(nn.Module):
    """Normal(mean, scale^2): the mean is fitted."""

    mean: Tensor

    def __init__(self, features: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("mean", torch.zeros(features, dtype=torch.float64))

    def fit(
        self, x: Tensor, *, given: Given | None = None, generator: Generator | None = None
    ) -> "NormalModel":
        self.mean.copy_(x.double().mean(dim=0))
        return self

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        noise = torch.randn(n, len(self.mean), generator=generator, dtype=torch.float64)
        return self.mean + self.scale * noise


def normal_recipe(name: str = "my-normal") -> Recipe:
    return Recipe(
        name=name,
        paradigm="mine",
        summary="a normal",
        config=NormalConfig,
        build=lambda config, shape: NormalModel(shape.features, config.scale),
        kinds=("vectors",),
    )


def test_a_recipe_of_ones_own_from_python(tmp_path: Path) -> None:
    mine = normal_recipe()
    found = compare(
        "moons",
        models=["gmm", mine],
        settings={"gmm.components": 2, "my-normal.scale": 0.5},
        out=tmp_path / "both",
    )
    assert [model.error for model in found.models] == [None, None]
    assert found.models[1].to_json()["figures"]["sliced_wasserstein"]["value"] > 0
    again = evaluate_run(tmp_path / "both" / "my-normal")
    assert again.to_json()["figures"]["coverage"]["value"] > 0
    with pytest.raises(ConfigError, match="must not be that of a model of the library, got 'gmm'"):
        ancestral.register(normal_recipe("gmm"))


class CodeModel(nn.Module):
    """A normal over the codes of a frozen autoencoder: a prior fitted after the fact."""

    mean: Tensor

    def __init__(self, autoencoder: InDataUnits, latent: int) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.register_buffer("mean", torch.zeros(latent))

    def fit(
        self, x: Tensor, *, given: Given | None = None, generator: Generator | None = None
    ) -> "CodeModel":
        self.mean.copy_(self.autoencoder.network.encode(x).mean.mean(dim=0))
        return self

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        z = self.mean + torch.randn(n, len(self.mean), generator=generator)
        return self.autoencoder.network.decode(z)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeConfig:
    latent: int = chosen()

    def resolved(self, shape: Shape) -> "CodeConfig":
        return CodeConfig(latent=shape.features)


def test_a_run_stands_on_another_which_stays_as_it_is(tmp_path: Path) -> None:
    base = ancestral.fit(
        "vae", "moons", settings={"size": "tiny", "latent": 2}, budget=ancestral.Budget(steps=3),
        out=tmp_path / "vae",
    )  # fmt: skip
    recipe = Recipe(
        name="code-normal",
        paradigm="mine",
        summary="a normal over codes",
        config=CodeConfig,
        build=lambda config, _shape, autoencoder: CodeModel(autoencoder, config.latent),
        kinds=("vectors",),
        parts={"autoencoder": Encodes},
    )
    with pytest.raises(ConfigError, match=r'give settings={"autoencoder": "RUN"}'):
        ancestral.plan(recipe, "moons")
    settings = {"autoencoder": str(base.folder)}
    run = ancestral.fit(recipe, "moons", settings=settings, out=tmp_path / "codes")
    assert ancestral.sample_run(run, 4).shape == (4, 2)
    model = run.model().network
    assert list(model.state_dict()) == ["mean"], "the part is not copied"
    assert not any(p.requires_grad for p in model.autoencoder.network.parameters())
    assert f"autoencoder={base.folder}" in (run.folder / "report.html").read_text()
    weights = base.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(RunError, match=r"the weights of .*vae have changed"):
        run.model()
    weights.unlink()
    with pytest.raises(RunError, match="on which this one stands, is gone"):
        run.model()


def test_a_truncated_gan_draws_its_latents_from_the_middle(tmp_path: Path) -> None:
    run = ancestral.fit(
        "gan", "moons", settings={"size": "tiny"}, budget=ancestral.Budget(steps=2),
        out=tmp_path / "gan",
    )  # fmt: skip
    far = ancestral.sample_run(run, 2000)
    near = ancestral.sample_run(run, 2000, settings={"truncation": 0.1})
    # The generator is smooth: within a tenth of a deviation its draws lie close together.
    assert near.std(dim=0).max() < far.std(dim=0).min() / 3
    with pytest.raises(ConfigError, match="truncation must be above 0, got -1"):
        ancestral.sample_run(run, 2, settings={"truncation": -1})
    with pytest.raises(ConfigError, match=r"unknown setting 'trunc'.*truncation"):
        ancestral.sample_run(run, 2, settings={"trunc": 1})
