from collections.abc import Callable
from pathlib import Path

import pytest

from ancestral.cli import demo as demo_module
from ancestral.recipes import DEFAULTS, Run


def test_json_has_the_promised_shape(cli: Callable, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "all"
    words = ["compare", table, "--models", "kde,vae,gan", "--steps", 3, "--out", out, "--json"]
    answer = cli(*words, "--set", "vae.size=tiny", "gan.size=tiny", "--threads", 1).json
    assert set(answer) == {"data", "budget", "models", "report"}
    assert answer["report"] == str(out / "report.html")
    assert (out / "report.html").is_file()
    kde, vae, gan = answer["models"]
    assert [model["name"] for model in answer["models"]] == ["kde", "vae", "gan"]
    assert kde["figures"]["log_prob"]["kind"] == "exact"
    assert kde["steps"] is None
    assert vae["figures"]["log_prob"] is None
    assert vae["figures"]["elbo"]["kind"] == "bound"
    assert vae["steps"] == 3
    assert vae["parameters"] > 0
    assert gan["figures"]["log_prob"] is None
    assert gan["figures"]["elbo"] is None
    for model in answer["models"]:
        assert model["whole_seconds"] > model["seconds"]
        assert model["error"] is None
        assert model["figures"]["sliced_wasserstein"]["floor"] is not None
        assert model["figures"]["coverage"]["se"] is not None
        assert (Path(model["run"]) / "report.html").is_file()
    assert "--overwrite" in cli(*words).line


def test_one_that_fails_does_not_stop_the_others(
    cli: Callable, table: Path, tmp_path: Path
) -> None:
    words = ["compare", table, "--models", "vae,kde", "--steps", 40, "--out", tmp_path / "c"]
    settings = ["--set", "vae.size=tiny", "vae.learning_rate=1e30", "vae.schedule=constant"]
    outcome = cli(*words, *settings, "--json", "--threads", 1)
    vae, kde = outcome.json["models"]
    assert outcome.status == 0
    assert "loss" in vae["error"]
    assert "vae failed" in outcome.err
    assert kde["error"] is None
    assert kde["figures"]["log_prob"]["value"] < 0


def test_where_all_fail_the_status_is_1(cli: Callable, table: Path, tmp_path: Path) -> None:
    words = ["compare", table, "--models", "vae", "--steps", 40, "--out", tmp_path / "c"]
    settings = ["--set", "vae.size=tiny", "vae.learning_rate=1e30", "vae.schedule=constant"]
    outcome = cli(*words, *settings, "--json", "--threads", 1)
    assert outcome.status == 1
    assert outcome.json["models"][0]["error"]
    assert outcome.err.splitlines()[-1] == "all 1 models failed: there is nothing to compare"


def test_a_setting_of_the_data_is_not_one_models_own(
    cli: Callable, table: Path, tmp_path: Path
) -> None:
    words = ["compare", table, "--models", "kde,empirical", "--out", tmp_path / "c"]
    line = cli(*words, "--set", "kde.split_seed=3").line
    assert "split_seed must be left out, or given for all models" in line
    assert not (tmp_path / "c").exists()
    answer = cli(*words, "--set", "split_seed=3", "--json").json
    for model in answer["models"]:
        assert Run.open(model["run"]).record.data.loading.seed == 3


def test_the_table_is_whole_in_80_columns(
    cli: Callable, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    models = "kde,empirical,gmm,naive-bayes"
    outcome = cli("compare", table, "--models", models, "--out", tmp_path / "c")
    lines = outcome.out.splitlines()
    assert max(map(len, lines[:-1])) <= 80
    assert "…" not in outcome.out
    heads = [line.split() for line in lines if line.split()[:2] == ["figure", "floor"]]
    assert [name for head in heads for name in head[2:]] == models.split(",")
    assert len(heads) > 1
    assert sum("sliced_wasserstein ↓" in line for line in lines) == len(heads)
    if "*" in outcome.out:
        assert outcome.out.count("* best of its row") == 1


def test_the_table_says_what_each_figure_is(cli: Callable, table: Path, tmp_path: Path) -> None:
    words = ["compare", table, "--models", "kde,empirical", "--out", tmp_path / "c"]
    outcome = cli(*words)
    assert outcome.status == 0
    assert "log_prob ↑ [nats]" in outcome.out
    assert "floor" in outcome.out
    assert outcome.out.splitlines()[-1] == f"report: {tmp_path / 'c' / 'report.html'}"
    assert cli(*words, "--overwrite").status == 0


def test_evaluate_a_run(cli: Callable, fitted: Callable[[str], Path]) -> None:
    run = fitted("vae-table")
    answer = cli("evaluate", run, "--json").json
    assert answer["run"] == str(run)
    assert answer["figures"]["elbo"]["unit"] == "nats"
    assert answer["figures"]["log_prob"] is None
    assert "sliced_wasserstein_means" in answer["figures"]
    plain = cli("evaluate", run, "--no-means", "--samples", 100)
    assert "_means" not in plain.out
    assert "elbo ↑ [nats]" in plain.out


def test_evaluate_on_other_data(
    cli: Callable, fitted: Callable[[str], Path], table: Path, tmp_path: Path
) -> None:
    other = tmp_path / "others.csv"
    head, *rows = table.read_text().split()
    other.write_text("\n".join([head, *rows[:150]]) + "\n")
    answer = cli("evaluate", fitted("kde-table"), other, "--json").json
    assert answer["data"] == str(other)
    assert answer["report"] is None


@pytest.mark.slow
def test_the_demo_ends_with_the_path_alone(
    cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: Path
) -> None:
    monkeypatch.setattr(demo_module, "DATA", (str(table), "digits"))
    for kind, names in (("vectors", ("kde", "gan")), ("images", ("kde", "image-vae"))):
        monkeypatch.setitem(DEFAULTS, kind, names)
    outcome = cli("demo", "--steps", 2, "--out", tmp_path / "demo", "--threads", 1)
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == str(tmp_path / "demo" / "report.html")
    assert "log_prob" in outcome.out


def test_runs_are_measured_beside_what_is_fitted(
    cli: Callable, table: Path, tmp_path: Path
) -> None:
    short = ["--steps", 3, "--threads", 1, "--set", "size=tiny"]
    for name, seed in (("first", 0), ("second", 1)):
        cli("fit", "vae", table, *short, "--seed", seed, "--out", tmp_path / name)
    runs = f"{tmp_path / 'first'},{tmp_path / 'second'},kde"
    answer = cli("compare", table, "--models", runs, "--out", tmp_path / "all", "--json").json
    assert [model["name"] for model in answer["models"]] == ["first", "second", "kde"]
    first, second, _ = answer["models"]
    alone = cli("evaluate", tmp_path / "first", "--json").json["figures"]
    assert first["figures"]["elbo"] == alone["elbo"]
    assert first["figures"]["elbo"] != second["figures"]["elbo"]
    assert first["run"] == str(tmp_path / "first")
    assert first["steps"] == 3
    assert first["whole_seconds"] > first["seconds"]
    assert not (tmp_path / "all" / "first").exists()
    page = (tmp_path / "all" / "report.html").read_text()
    assert f"--models {runs}" in page


def test_a_run_of_other_data_is_not_compared(cli: Callable, table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    cli("fit", "kde", table, "--set", "split_seed=1", "--out", run)
    words = ["compare", table, "--models", f"kde,{run}", "--out", tmp_path / "all"]
    assert "was fitted to other data" in cli(*words, "--set", "split_seed=2").line
    assert cli(*words).status == 0  # The run says how the data are read.
    assert "no run" in cli("compare", table, "--models", "runs/nothing").line
    words = ["compare", table, "--models", run, "--set"]
    assert "kde has nothing to set in sampling" in cli(*words, "run.truncation=1").line
    assert "differ in name" in cli("compare", table, "--models", f"{run},{run}").line


def test_a_run_is_compared_as_it_is_asked_to_be_sampled(
    cli: Callable, table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "my-run"
    cli("fit", "gan", table, "--steps", 3, "--threads", 1, "--set", "size=tiny", "--out", run)
    words = ["compare", table, "--models", run, "--json", "--out"]
    wide = cli(*words, tmp_path / "wide").json["models"][0]
    near = cli(*words, tmp_path / "near", "--set", "my-run.truncation=0.1").json["models"][0]
    assert near["figures"]["recall"]["value"] < wide["figures"]["recall"]["value"]
    assert "--set my_run.truncation=0.1" in (tmp_path / "near" / "report.html").read_text()
