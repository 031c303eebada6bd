"""The iterator of a fit: stopped, abandoned, diverged, resumed; and the Python road to it."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from ancestral.data import Dataset, Examples, Loading, load
from ancestral.data.fields import Image
from ancestral.errors import (
    AncestralError,
    CapabilityError,
    ConfigError,
    DataError,
    DivergenceError,
    RunError,
)
from ancestral.recipes import Fitting, Run, fit, plan, resume, sample_run, start
from ancestral.training import Budget, load_tensors

TINY = {"size": "tiny", "batch_size": 64, "validate_every": 10}
STEPS = 25


@pytest.fixture(scope="module")
def moons() -> object:
    return load("moons")


def begin(folder: Path, moons: object, **more: object) -> Fitting:
    made = plan("vae", moons, settings={**TINY, **more}, budget=Budget(steps=STEPS))
    return start(made, folder)


def last(run: Path) -> dict[str, torch.Tensor]:
    return load_tensors(run / "checkpoint" / f"step-{STEPS:09d}.safetensors")[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, moons: object) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    for _ in begin(run, moons):
        pass
    return run


def test_short_trainings_are_validated_ten_times(tmp_path: Path, moons: object) -> None:
    made = plan("vae", moons, settings={"size": "tiny"}, budget=Budget(steps=34))
    assert made.options.validate_every == 3
    fitting = start(made, tmp_path / "run")
    assert sum(report.validation is not None for report in fitting) >= 10
    asked = {"size": "tiny", "validate_every": 500}
    assert plan("vae", moons, settings=asked, budget=Budget(steps=34)).options.validate_every == 500
    long = plan("vae", moons, settings={"size": "tiny"}, budget=Budget(steps=100_000))
    assert long.options.validate_every == 500


def test_settings_of_data_that_are_loaded_are_refused(moons: object) -> None:
    with pytest.raises(ConfigError, match="split_seed must be left out, or given for all models"):
        plan("kde", moons, settings={"split_seed": 3})


@pytest.mark.parametrize("model", ["kde", "gmm"])
def test_an_estimator_keeps_within_its_budget(model: str, tmp_path: Path) -> None:
    run = fit(model, "moons", budget=Budget(seconds=1e-6), out=tmp_path / "late")
    assert run.record.result.stopped == "budget"
    assert "may differ" in (run.folder / "report.html").read_text()
    assert run.model().log_prob(torch.zeros(1, 2)).isfinite().all()
    whole = fit(model, "moons", out=tmp_path / "whole")
    assert whole.record.result.stopped == "completed"
    assert whole.record.result.best.value >= run.record.result.best.value
    assert whole.record.result.seconds > run.record.result.seconds


def test_a_mixture_of_wide_images_is_refused_where_its_budget_is_too_short(tmp_path: Path) -> None:
    x = torch.randint(0, 256, (40, 3, 48, 48), generator=torch.Generator().manual_seed(0))
    part = Examples(x.to(torch.uint8), {})
    photos = Dataset(
        name="photos",
        source="photos",
        fields={"x": Image.of(part.x)},
        train=part,
        validation=part[:10],
        test=part[:10],
    )
    # Two eigenvectors of 6,912 x 6,912 values, at the speed of one thread.
    with pytest.raises(ConfigError, match=r"budget must be at least about 99s for gmm on 6,912"):
        fit("gmm", photos, budget="30s", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_progress_is_told_where_it_is_asked_for(
    tmp_path: Path,
    moons: object,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ancestral.recipes.fitting.PATIENCE", 0.0)
    fit("vae", moons, settings=TINY, budget=Budget(steps=STEPS), out=tmp_path / "a")
    assert capsys.readouterr().err == ""
    fit("vae", moons, settings=TINY, budget=Budget(steps=STEPS), out=tmp_path / "b", progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("fit vae: 100% after ")
    assert "step 25  elbo" in lines[-1]


@pytest.mark.bits
@pytest.mark.parametrize("how", ["stop", "break", "thread"])
@pytest.mark.parametrize("step", [1, 13, 20])
def test_stopped_and_resumed_is_the_same_run(
    how: str, step: int, tmp_path: Path, moons: object, whole: Path
) -> None:
    run = tmp_path / "run"
    fitting = begin(run, moons)
    for report in fitting:
        if report.step == step:
            if how == "break":
                break
            if how == "thread":
                other = threading.Thread(target=fitting.stop)
                other.start()
                other.join()
            else:
                fitting.stop()
    del report
    assert Run.open(run).record.result.status == "interrupted"
    assert Run.open(run).record.result.steps == step
    assert Run.open(run).model().sample(2).shape == (2, 2)  # Usable as it is.
    going_on = resume(run)
    assert going_on.position.step == step
    assert [report.step for report in going_on] == list(range(step + 1, STEPS + 1))
    assert going_on.stopped == "completed"
    for name, value in last(whole).items():
        assert torch.equal(last(run)[name], value), name
    ours, theirs = Run.open(run).record.result, Run.open(whole).record.result
    assert ours.best == theirs.best
    assert ours.best_step == theirs.best_step


def test_divergence_leaves_the_last_checkpoint(tmp_path: Path, moons: object) -> None:
    run = tmp_path / "run"
    fitting = begin(run, moons)
    reports = iter(fitting)
    for _ in range(12):
        next(reports)
    with torch.no_grad():
        next(fitting.model.network.parameters()).fill_(float("nan"))
    with pytest.raises(DivergenceError, match="loss of vae is nan"):
        next(reports)
    result = Run.open(run).record.result
    assert result.status == "failed"
    assert "loss of vae is nan" in str(result.error)
    (path,) = (run / "checkpoint").iterdir()
    assert path.name == "step-000000010.safetensors"
    assert all(value.isfinite().all() for value in load_tensors(path)[0].values())
    assert len(list(resume(run))) == STEPS - 10


def test_data_and_arguments_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seed must be at least 0"):
        plan("vae", "moons", seed=-1)

    def build(*_: object) -> nn.Module:
        raise ValueError("width must be even, got 3")

    made = plan("vae", "moons")
    made = replace(made, recipe=replace(made.recipe, build=build))
    with pytest.raises(ConfigError, match="vae: width must be even, got 3"):
        start(made, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_fit_is_one_call(tmp_path: Path) -> None:
    run = fit("gmm", "moons", settings={"components": 3}, out=tmp_path / "run")
    assert run.record.result.stopped == "completed"
    assert run.record.config.components == 3
    assert (run.folder / "report.html").is_file()
    with pytest.raises(RunError, match="exists"):
        fit("gmm", "moons", out=tmp_path / "run")
    assert list(resume(tmp_path / "run")) == []


def test_components_are_chosen_and_recorded(tmp_path: Path) -> None:
    run = fit("gmm", "digits", out=tmp_path / "run")
    assert 1 < run.record.config.components < 64
    assert Run.open(run.folder).model().network.state_dict().keys()
    assert run.record.result.best.kind == "bound"


def test_the_clock_is_repeated_by_steps(tmp_path: Path, moons: object) -> None:
    made = plan("gan", moons, settings=TINY, budget="0.1s")
    fitting = start(made, tmp_path / "run")
    shares = [fitting.share(report) for report in fitting]
    assert shares == sorted(shares)
    assert fitting.stopped == "budget"
    assert fitting.run.record.result.steps == len(shares)


def test_a_fit_whose_samples_have_collapsed_says_so(tmp_path: Path, moons: object) -> None:
    never = {"learning_rate": 1e-12, "ema_decay": 0}
    fitting = start(
        plan("gan", moons, settings=TINY | never, budget=Budget(steps=1)), tmp_path / "r"
    )
    with torch.no_grad():
        for parameter in fitting.model.network.generator.parameters():
            parameter.mul_(0.01)
    for _ in fitting:
        pass
    assert [line.split(":")[0] for line in fitting.said] == ["mode collapse"]


@pytest.mark.parametrize("model", ["kde", "gmm", "naive-bayes", "bayes-net"])
def test_an_estimator_that_fails_leaves_nothing(
    model: str, tmp_path: Path, moons: Dataset, states_csv: Path
) -> None:
    discrete = model == "bayes-net"
    good = load(str(states_csv), Loading(discrete=True)) if discrete else moons
    x = good.train.x.clone()
    x[3, 1] = 77 if discrete else float("nan")  # No state, no number.
    bad = replace(good, train=Examples(x, good.train.given))
    states_csv.unlink()
    with pytest.raises(AncestralError, match=r"too large|states 0 to 1"):
        fit(model, bad, out=tmp_path / "runs" / "one")
    assert list(tmp_path.iterdir()) == []
    fitting = start(plan(model, good), tmp_path / "runs" / "one")
    fitting.plan = plan(model, bad)
    (tmp_path / "runs" / "mine.txt").write_text("kept")
    with pytest.raises(AncestralError):
        list(fitting)
    assert [path.name for path in tmp_path.rglob("*")] == ["runs", "mine.txt"]


def test_a_bandwidth_that_cannot_be_chosen_says_what_to_set(tmp_path: Path, moons: Dataset) -> None:
    same = replace(moons, train=Examples(torch.ones_like(moons.train.x)))
    with pytest.raises(DataError, match=r'give settings={"bandwidth": "NUMBER"}'):
        fit("kde", same, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    run = fit("kde", same, settings={"bandwidth": 0.5}, out=tmp_path / "run")
    assert run.record.result.status == "finished"


def test_a_failed_resume_keeps_the_run(tmp_path: Path, moons: Dataset) -> None:
    start(plan("kde", moons), tmp_path / "run")
    fitting = resume(tmp_path / "run")
    same = replace(moons, train=Examples(torch.ones_like(moons.train.x)))
    fitting.plan = plan("kde", same)
    with pytest.raises(DataError):
        list(fitting)
    assert Run.open(tmp_path / "run").record.result.status == "failed"


@pytest.mark.parametrize("model", ["naive-bayes", "kde"])
def test_the_only_label_can_be_given(tmp_path: Path, model: str) -> None:
    path = tmp_path / "one.csv"
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(40, 2, generator=generator).tolist()
    path.write_text("a,b,label\n" + "".join(f"{a},{b},yes\n" for a, b in rows))
    run = fit(model, path, settings={"label": "label"}, out=tmp_path / "run")
    assert torch.equal(sample_run(run, 5, given={"label": "yes"}), sample_run(run, 5))
    with pytest.raises(ConfigError, match="unknown label 'no'"):
        sample_run(run, 5, given={"label": "no"})


def test_data_without_labels_say_how_to_have_one(tmp_path: Path) -> None:
    run = fit("naive-bayes", "moons", out=tmp_path / "run")
    with pytest.raises(
        CapabilityError, match=r'its data have none: .* settings={"label": "COLUMN"}'
    ):
        sample_run(run, 5, given={"label": "yes"})
