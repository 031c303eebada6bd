"""Energy models as runs: resumed exactly, chosen by what says something, without false figures."""

from pathlib import Path

import pytest
import torch

from ancestral.data import load
from ancestral.data.columns import Vector
from ancestral.data.fields import Shape
from ancestral.energy import EBM, RBM, PersistentEBM, SmallRBM
from ancestral.evaluation import Setting
from ancestral.recipes import evaluate_run, fit, plan, resume, start
from ancestral.recipes.families.energy import EBMConfig
from ancestral.training import Budget
from ancestral.training.checkpoint import load_tensors

SMALL = {"size": "tiny", "frequencies": 8, "chains": 64, "walk": 3}
STEPS = 12


def tensors(run: Path) -> dict[str, torch.Tensor]:
    return load_tensors(run / "checkpoint" / f"step-{STEPS:09d}.safetensors")[0]


@pytest.mark.bits
@pytest.mark.parametrize(
    ("model", "data", "settings"),
    [
        ("ebm", "moons", {**SMALL, "training": "contrastive"}),
        ("rbm", "digits", {"size": "tiny", "chains": 64, "hidden": 4}),
    ],
)
def test_the_chains_go_on_bit_for_bit_after_a_stop(
    model: str, data: str, settings: dict[str, object], tmp_path: Path
) -> None:
    found = load(data)
    whole, stopped = (
        start(plan(model, found, settings=settings, budget=Budget(steps=STEPS)), tmp_path / name)
        for name in ("whole", "stopped")
    )
    for _ in whole:
        pass
    for report in stopped:
        if report.step == 5:
            stopped.stop()
    for _ in resume(tmp_path / "stopped"):
        pass
    one, two = tensors(tmp_path / "whole"), tensors(tmp_path / "stopped")
    assert one.keys() == two.keys()
    (chains,) = [key for key in one if key.endswith("weights/chains.states")]
    for key in (chains, *one):
        assert torch.equal(one[key], two[key]), key


@pytest.mark.parametrize(
    ("training", "kind", "figure"),
    [
        ("noise-contrastive", EBM, "loss"),
        ("denoising", EBM, "loss"),
        ("sliced", EBM, "loss"),
        ("exact", EBM, "loss"),
        ("contrastive", PersistentEBM, "sliced_wasserstein"),
    ],
)
def test_every_training_is_chosen_by_what_says_something(
    training: str, kind: type, figure: str, tmp_path: Path
) -> None:
    run = fit(
        "ebm",
        "moons",
        settings={**SMALL, "training": training, "validate_every": 6},
        budget=Budget(steps=6),
        out=tmp_path / "run",
    )
    assert isinstance(run.model().network, kind)
    wanted = {"loss": "loss", "sliced_wasserstein": "estimate"}[figure]
    assert run.record.result.best.kind == wanted
    assert f"chosen by {figure}: " in (run.folder / "report.html").read_text()
    assert run.model(sampling={"steps": 2}).sample(5).shape == (5, 2)


def test_an_energy_shows_a_dash_where_a_likelihood_would_stand(tmp_path: Path) -> None:
    run = fit(
        "ebm", "moons", settings={**SMALL, "steps": 5}, budget=Budget(steps=5), out=tmp_path / "run"
    )
    setting = Setting(samples=200, references=200)
    figures = evaluate_run(run, setting=setting).evaluation.figures
    assert figures["log_prob"] is None
    assert figures["sliced_wasserstein"] is not None


def test_a_small_machine_has_an_exact_likelihood_of_the_table_and_a_large_one_none(
    tmp_path: Path, states_csv: Path
) -> None:
    for hidden, kind in ((4, SmallRBM), (20, RBM)):
        run = fit(
            "rbm",
            str(states_csv),
            settings={"hidden": hidden, "chains": 50},
            budget=Budget(steps=20),
            out=tmp_path / str(hidden),
        )
        model = run.model()
        assert isinstance(model.network, kind)
        figure = evaluate_run(run).evaluation.figures["log_prob"]
        assert (figure is None) == (kind is RBM)
        if figure is not None:
            assert figure.kind == "exact"
            # Of the last column there are 2, 10 and 12: any whole number between may come.
            values = (torch.arange(2), torch.arange(2), torch.arange(2, 13))
            every = torch.cartesian_prod(*values).double()
            assert float(model.log_prob(every).exp().sum().detach()) == pytest.approx(1, abs=1e-5)


def test_training_begins_at_the_frequencies_of_the_data() -> None:
    found = load("digits")
    made = plan("rbm", found, settings={"hidden": 4})
    transform = made.transform()
    model = made.build(transform)
    assert isinstance(model, SmallRBM)
    x = transform(found.train.x)
    shares = torch.nn.functional.one_hot(x, 8).double().mean(dim=0)
    found_shares = model.visible_bias.detach().double().exp()
    torch.testing.assert_close(found_shares, shares, atol=0.01, rtol=0)


@pytest.mark.parametrize(("columns", "frequencies"), [(8, 64), (9, 0)])
def test_only_few_columns_get_fourier_features(columns: int, frequencies: int) -> None:
    shape = Shape({"x": Vector.of_numbers("abcdefghi"[:columns])})
    assert EBMConfig().resolved(shape).frequencies == frequencies
    assert EBMConfig(frequencies=3).resolved(shape).frequencies == 3
