"""``hmm`` on tables whose rows are sequences, of numbers and of states."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ancestral.classic import HMM, DiagonalGaussianEmissions
from ancestral.data import Loading
from ancestral.errors import ConfigError
from ancestral.recipes import fit, plan, recipe_named, resume, sample_run
from ancestral.recipes.comparing import contest, hold
from ancestral.recipes.families.sequences import HMMConfig
from ancestral.recipes.plan import Plan
from ancestral.recipes.reporting import repeat_command
from ancestral.training import Budget

STEPS = 12
STAY = np.array([[0.9, 0.1], [0.2, 0.8]])


@pytest.fixture(scope="module")
def hidden() -> np.ndarray:
    """States of 400 sequences of a chain of two."""
    rng = np.random.default_rng(0)
    z = np.zeros((400, STEPS), int)
    z[:, 0] = rng.integers(2, size=400)
    for t in range(1, STEPS):
        z[:, t] = (rng.random(400) < STAY[z[:, t - 1], 1]).astype(int)
    return z


def truth() -> HMM:
    """The law of the series."""
    model = HMM(DiagonalGaussianEmissions(2, features=1), length=STEPS)
    model.initial.copy_(torch.tensor([0.5, 0.5]))
    model.transition.copy_(torch.from_numpy(STAY))
    model.emissions.means.copy_(torch.tensor([[10.0], [14.0]]))
    model.emissions.variances.fill_(1.0)
    return model


def test_series_of_numbers(hidden: np.ndarray, tmp_path: Path) -> None:
    path, noise = tmp_path / "series.csv", np.random.default_rng(1).normal(size=hidden.shape)
    header = ",".join(f"t{t}" for t in range(STEPS))
    series = np.where(hidden == 0, 10, 14) + noise
    np.savetxt(path, series, delimiter=",", header=header, comments="", fmt="%.17g")
    settings = {"states": 2, "restarts": 2}
    run = fit("hmm", str(path), settings=settings, out=tmp_path / "run")
    x = run.data().test.x
    gap = run.model().log_prob(x) - truth().log_prob(x[..., None])
    # Ten parameters learned from 3,840 numbers cost about 5 / 320 nats a sequence; se of the mean.
    assert gap.mean().abs() < 0.1 + 3 * gap.std() / len(x) ** 0.5
    assert sample_run(run, 5).shape == (5, STEPS)
    assert 9 < sample_run(run, 500).mean() < 14


def test_the_number_of_states_is_chosen(hidden: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "states.csv"
    flips = np.random.default_rng(2).random(hidden.shape) < 0.05
    rows = np.array(["sun", "rain"])[hidden ^ flips]
    lines = [",".join(f"day{t}" for t in range(STEPS)), *map(",".join, rows.tolist())]
    path.write_text("\n".join(lines) + "\n")
    chosen = {"emissions": "categorical", "restarts": 1, "iterations": 30}
    run = fit("hmm", str(path), settings=chosen, out=tmp_path / "run")
    assert 2 <= run.record.config.states <= 4
    assert run.record.data.field.rows(sample_run(run, 3))[0][0] in {"sun", "rain"}


@pytest.mark.parametrize("missing", ["refuse", "em"])
def test_states_are_read_alike_for_all_that_are_compared(missing: str, tmp_path: Path) -> None:
    path = tmp_path / "states.csv"
    rows = np.array(["sun", "rain"])[np.random.default_rng(2).integers(2, size=(100, 4))]
    if missing == "em":
        rows[::9, 1] = ""
    lines = [",".join(f"day{t}" for t in range(4)), *map(",".join, rows.tolist())]
    path.write_text("\n".join(lines) + "\n")
    settings = {"bayes-net.missing": missing, "hmm.states": 2, "hmm.restarts": 1}
    what = contest(
        str(path), models=["bayes-net", "hmm"], settings=settings, out=tmp_path / "compared"
    )
    expected = Loading(discrete=True, missing=missing == "em")
    assert all(isinstance(one, Plan) and one.loading == expected for one in what.entrants)
    for model in hold(what).models:
        assert model.error is None
        assert model.run is not None
        assert model.run.data().fingerprint == what.data.fingerprint  # As it is loaded again.
        if model.name == "hmm":
            assert "--set emissions=categorical" in repeat_command(model.run)


def test_an_unknown_setting_of_a_model_is_told_before_the_data_are_read() -> None:
    for models in (["gmm", "hmm"], None):
        with pytest.raises(ConfigError, match="unknown setting 'stats' of hmm"):
            contest("nowhere.csv", models=models, settings={"hmm.stats": 2})


def test_columns_of_different_states_are_no_sequence(states_csv: Path) -> None:
    with pytest.raises(ConfigError, match="must be steps of one sequence, with the same states"):
        plan("hmm", str(states_csv), settings={"emissions": "categorical"})


def test_a_symbol_that_only_judges_have_seen_does_not_decide(hidden: np.ndarray) -> None:
    y = torch.from_numpy(hidden[:100, :8]).to(torch.uint8)
    y[0] = 2  # The first row judges, and no other shows it.
    config = HMMConfig(emissions="categorical", restarts=1, iterations=20)
    recipe = recipe_named("hmm")
    assert recipe.choose is not None
    assert recipe.choose(config, y, torch.Generator().manual_seed(0)).states > 1


def test_a_finished_estimator_is_left_as_it_is(tmp_path: Path) -> None:
    run = fit("gmm", "moons", settings={"components": 2}, out=tmp_path / "run")
    weights = (run.folder / "model.safetensors").read_bytes()
    assert resume(run.folder, budget=Budget(steps=10)).finished
    assert (run.folder / "model.safetensors").read_bytes() == weights
