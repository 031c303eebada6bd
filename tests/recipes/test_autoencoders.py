from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ancestral import Budget, fit
from ancestral.autoencoders import BinaryVAE, ImportanceWeightedBound, WeighedBound
from ancestral.data import Dataset, load
from ancestral.data.dataset import Examples
from ancestral.data.fields import Image, X
from ancestral.errors import ConfigError
from ancestral.recipes import plan
from ancestral.recipes.sampling import Asked, draw_table, sample_run


def black_and_white() -> Dataset:
    """Digits above half of their levels."""
    data = load("digits")

    def bits(part: Examples) -> Examples:
        return Examples((part.x > 8).to(torch.uint8), part.given)

    field = Image.of(data.train.x, levels=2)
    return replace(
        data,
        fields={**data.fields, X: field},
        train=bits(data.train),
        validation=bits(data.validation),
        test=bits(data.test),
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_beta_1_gives_the_weights_of_the_vae_bit_for_bit(tmp_path: Path) -> None:
    how = {"size": "tiny", "validate_every": 10}
    for name, more in (("vae", {}), ("beta-vae", {"beta": 1.0})):
        fit(name, "moons", settings=how | more, budget=Budget(steps=30), out=tmp_path / name)
    plain, weighed = weights(tmp_path / "vae"), weights(tmp_path / "beta-vae")
    assert plain.keys() == weighed.keys()
    assert all(torch.equal(plain[name], weighed[name]) for name in plain)


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        ({"beta": 4.0, "warmup": 0.5, "free_nats": 1.0}, {"vae/kl"}),
        ({"draws": 3, "likelihood": "continuous-bernoulli"}, set()),
        ({"above": (3,)}, {"vae/kl_z", "vae/kl_z2"}),
    ],
)
def test_an_image_vae_is_trained_as_the_others_are(
    settings: dict, written: set[str], tmp_path: Path
) -> None:
    how = {"size": "tiny", "latent": 4, **settings}
    run = fit("image-vae", "digits", settings=how, budget=Budget(steps=3), out=tmp_path / "run")
    assert {name for name in run.metrics()[-1]["metrics"] if "/kl" in name} == written
    objective = run.model().network.objective
    if "draws" in settings:
        assert isinstance(objective, ImportanceWeightedBound)
        assert objective.draws == 3
    else:
        assert isinstance(objective, WeighedBound)
        assert objective.beta == settings.get("beta", 1.0)
    assert run.model().elbo(run.data().test.x[:4], given={"label": torch.tensor(1)}).shape == (4,)


def test_the_mean_posterior_is_a_prior_of_rows_and_of_bits(tmp_path: Path) -> None:
    how = {"size": "tiny", "prior": "posteriors", "components": 7, "latent": 2}
    for name, data in (("rows", "moons"), ("bits", black_and_white())):
        run = fit("vae", data, settings=how, budget=Budget(steps=3), out=tmp_path / name)
        model = run.model()
        assert model.network.p.nodes["z"].conditional.examples.shape[0] == 7
        assert len(model.sample(5)) == 5
    with pytest.raises(ConfigError, match="prior must be mixture, flow or normal where the label"):
        plan("vae", "digits", settings={**how, "conditional": True})


def test_the_pieces_of_the_bound_are_written(tmp_path: Path) -> None:
    run = fit(
        "hierarchical-vae",
        "moons",
        settings={"size": "tiny"},
        budget=Budget(steps=3),
        out=tmp_path / "run",
    )
    row = run.metrics()[-1]["metrics"]
    assert {"vae/reconstruction", "vae/kl_z", "vae/kl_z2"} <= row.keys()


@pytest.mark.parametrize("name", ["vae", "iwae", "beta-vae"])
def test_a_label_conditions_and_a_flow_is_a_prior(name: str, tmp_path: Path) -> None:
    settings = {"size": "tiny", "conditional": True, "prior": "flow", "latent": 3}
    run = fit(name, "digits", settings=settings, budget=Budget(steps=3), out=tmp_path / "run")
    drawn = run.model().sample(5, given={"label": torch.tensor(3)})
    assert drawn.shape == (5, 1, 8, 8)


def test_the_label_of_a_mixed_table_is_given_by_the_name_of_its_column(tmp_path: Path) -> None:
    """The word says which two of four things it is, the label which of these."""
    rows = [(f"{name}{i % 2}", name, i) for i, name in enumerate("ab" * 300)]
    table = tmp_path / "known.csv"
    table.write_text("\n".join(["thing,kind,number", *(f"{a},{b},{c % 7}" for a, b, c in rows)]))
    settings = {"label": "kind", "conditional": True, "size": "tiny", "latent": 2}
    budget = Budget(steps=300)
    run = fit("vae", str(table), settings=settings, budget=budget, out=tmp_path / "run")
    for name in "ab":
        drawn, field = draw_table(run, Asked(n=200, given=[f"kind={name}"]))
        frame = [field.columns[0].states[int(value)] for value in drawn[:, 0]]
        assert sum(word.startswith(name) for word in frame) > 190
        assert field.columns[-1].name == "kind"
    assert torch.equal(
        sample_run(run, 9, given={"kind": "b"}), sample_run(run, 9, given={"label": "b"})
    )
    with pytest.raises(ConfigError, match="takes the node label, got 'number'"):
        sample_run(run, 9, given={"number": 3})


def test_black_and_white_gets_a_bernoulli_and_its_samples_are_bits(tmp_path: Path) -> None:
    data = black_and_white()
    run = fit("vae", data, settings={"size": "tiny"}, budget=Budget(steps=3), out=tmp_path / "run")
    assert isinstance(run.model().network, BinaryVAE)
    assert set(run.model().sample(20).unique().tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"decoder_std": 0.1}, "decoder_std must be left out of images in black and white"),
        ({"frequencies": 2}, "frequencies must be left out of images in black and white"),
    ],
)
def test_settings_of_numbers_are_refused_of_bits(settings: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        plan("vae", black_and_white(), settings=settings)
