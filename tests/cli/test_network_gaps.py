"""Tables with missing cells, and latent nodes, from the command line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ancestral.networks import read_network
from ancestral.networks.learning import log_likelihood
from ancestral.recipes import Run, open_network

GRAPH = """
variable group { type discrete [ 2 ] { one, two }; }
variable rain { type discrete [ 2 ] { no, yes }; }
variable seen { type discrete [ 2 ] { a, b }; }
variable level { type discrete [ 3 ] { x, y, z }; }
probability ( group ) { table 0.5, 0.5; }
probability ( rain | group ) { (one) 0.5, 0.5; (two) 0.5, 0.5; }
probability ( seen | group ) { (one) 0.5, 0.5; (two) 0.5, 0.5; }
probability ( level ) { table 0.5, 0.25, 0.25; }
"""


@pytest.fixture
def gaps(states_csv: Path) -> Path:
    """Return the table with a fifth of its cells empty; the first of them in row 3, column seen."""
    header, *lines = states_csv.read_text().splitlines()
    rng = np.random.default_rng(0)
    rows = [line.split(",") for line in lines]
    for number, row in enumerate(rows):
        for column in range(3):
            if number > 2 and rng.random() < 0.2:
                row[column] = "?" if rng.random() < 0.3 else ""
    rows[2][1] = ""
    path = states_csv.parent / "gaps.csv"
    path.write_text("\n".join([header, *map(",".join, rows)]) + "\n")
    return path


def test_an_empty_cell_is_named_with_the_setting(cli: Callable, gaps: Path, tmp_path: Path) -> None:
    line = cli("fit", "bayes-net", gaps, "--out", tmp_path / "run").line
    assert "row 3, column 'seen': the cell is empty; missing=em takes such cells" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("structure", ["hill-climb", "chow-liu"])
def test_gaps_are_fitted_by_em(cli: Callable, gaps: Path, tmp_path: Path, structure: str) -> None:
    run = tmp_path / "run"
    words = ["--set", "missing=em", "starts=2", "--structure", structure, "--out", run]
    outcome = cli("fit", "bayes-net", gaps, *words)
    assert outcome.status == 0
    assert "say nothing and count as missing" in outcome.err
    opened = Run.open(run)
    network, data = open_network(run), opened.data()
    assert ("rain", "seen") in network.graph.edges or ("seen", "rain") in network.graph.edges
    assert network.states("rain") == ("no", "yes")
    columns = dict(zip(data.columns, data.test.x.T.numpy(), strict=True))
    mean = log_likelihood(network, columns) / len(data.test)
    answer = cli("evaluate", run, "--samples", 50, "--json").json
    assert answer["figures"]["log_prob"]["value"] == pytest.approx(mean, rel=1e-9)
    assert answer["figures"]["log_prob"]["kind"] == "exact"
    assert answer["figures"]["classifier_accuracy"] is None
    assert any("cells are missing in" in note for note in answer["notes"])
    surprise = cli("score", run, gaps, "--json").json["rows"]
    assert len(surprise) == 300
    assert len(cli("sample", run, "-n", 5, "--json").json["samples"]) == 5


def test_without_gaps_em_is_counting(cli: Callable, states_csv: Path, tmp_path: Path) -> None:
    fits = [
        cli("fit", "bayes-net", states_csv, *extra, "--out", tmp_path / name, "--json").json
        for name, extra in (("plain", ()), ("em", ("--set", "missing=em")))
    ]
    assert fits[0]["best"] == fits[1]["best"]


def test_nodes_without_a_column_are_latent(cli: Callable, gaps: Path, tmp_path: Path) -> None:
    graph, run = tmp_path / "graph.bif", tmp_path / "run"
    graph.write_text(GRAPH)
    fit = ["fit", "bayes-net", gaps, "--structure", graph, "--out", run]
    line = cli(*fit).line
    assert "'seen': the cell is empty" in line
    whole = ["fit", "bayes-net", gaps.parent / "states.csv", "--structure", graph, "--out", run]
    line = cli(*whole).line
    assert "'group': the table has no such column; --set missing=em takes such nodes as" in line
    assert cli(*fit, "--set", "missing=em").status == 0
    answer = cli("query", run, "group", "--given", "rain=yes", "seen=<5", "--json").json
    assert set(answer["posteriors"]["group"]) == {"0", "1"}
    assert sum(answer["posteriors"]["group"].values()) == pytest.approx(1)
    assert cli("export", run, tmp_path / "out.net", "--to", "net").status == 0
    assert read_network(tmp_path / "out.net").graph.edges == (("group", "rain"), ("group", "seen"))
    text = cli("sample", run, "-n", 3, "--out", tmp_path / "draws.csv")
    assert text.status == 0
    header = (tmp_path / "draws.csv").read_text().splitlines()[0]
    assert header.replace('"', "") == "rain,seen,level"
    same = [*fit[:-1], tmp_path / "again", "--set", "missing=em", "--json"]
    assert cli(*same).json["best"] == pytest.approx(Run.open(run).record.result.best.to_json())


def test_a_latent_node_can_be_told_by_settings(
    cli: Callable, states_csv: Path, tmp_path: Path
) -> None:
    words = ["missing=em", "latent=kind", "latent_states=2", "edges=3,0,3,1"]
    fit = ["fit", "bayes-net", states_csv, "--out", tmp_path / "run"]
    assert cli(*fit, "--set", *words).status == 0
    assert open_network(tmp_path / "run").graph.parents("seen") == ("kind",)
    assert "latent must be left out, or given together with missing=em and edges" in (
        cli(*fit, "--overwrite", "--set", *words[1:]).line
    )
    assert "latent_states must be a number of at least 1 for each latent node" in (
        cli(*fit, "--overwrite", "--set", "missing=em", "latent=kind", "edges=3,0").line
    )


def test_what_em_cannot_fill(cli: Callable, tmp_path: Path) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "run"
    fit = ["fit", "bayes-net", path, "--set", "missing=em", "--out", out]
    path.write_text("a,b,c\n" + "x,y,\n" * 30)
    assert "column 'c' of t has no cell that says anything" in cli(*fit).line
    path.write_text("a,b\n" + "x,\n,y\n" * 30)
    assert "structure must be a network file where every row has a missing cell" in cli(*fit).line
    assert "missing must be one of refuse, em, got 'drop'" in (
        cli("fit", "bayes-net", path, "--set", "missing=drop", "--out", out).line
    )
    assert not out.exists()


def test_gaps_in_a_comparison(cli: Callable, gaps: Path, tmp_path: Path) -> None:
    words = ["--models", "bayes-net", "--out", tmp_path / "both", "--json"]
    answer = cli("compare", gaps, *words, "--set", "bayes-net.missing=em").json
    assert answer["models"][0]["error"] is None
    assert answer["models"][0]["figures"]["log_prob"]["kind"] == "exact"
