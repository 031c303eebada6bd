from collections.abc import Callable
from pathlib import Path

import pytest

from ancestral.cli import demo as demo_module
from ancestral.recipes import Run


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
    outcome = cli("demo", "--steps", 2, "--out", tmp_path / "demo", "--threads", 1)
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == str(tmp_path / "demo" / "report.html")
    assert "log_prob" in outcome.out
