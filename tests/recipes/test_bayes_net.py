"""The recipe ``bayes-net`` from a table of words to samples of words."""

from pathlib import Path

import pytest
import torch

from ancestral.data import write_samples
from ancestral.errors import ConfigError, DataError, RunError
from ancestral.evaluation import Setting
from ancestral.networks.formats import FileGraph, graph_of_file
from ancestral.recipes import Run, evaluate_run, fit, plan, sample_run
from ancestral.recipes.comparing import contest
from ancestral.recipes.scoring import score_rows

BIF = """
variable level { type discrete [ 2 ] { low, high }; }
variable rain { type discrete [ 2 ] { no, yes }; }
variable seen { type discrete [ 2 ] { a, b }; }
probability ( level ) { table 0.5, 0.5; }
probability ( rain ) { table 0.5, 0.5; }
probability ( seen | rain ) { (no) 0.5, 0.5; (yes) 0.5, 0.5; }
"""


@pytest.mark.parametrize("structure", ["hill-climb", "chow-liu", "file"])
def test_fit_sample_and_evaluate(structure: str, states_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "net.bif").write_text(BIF)
    chosen = str(tmp_path / "net.bif") if structure == "file" else structure
    run = fit("bayes-net", states_csv, settings={"structure": chosen}, out=tmp_path / "run")
    edges = run.record.config.edges
    pairs = {frozenset(pair) for pair in zip(edges[::2], edges[1::2], strict=True)}
    assert frozenset((0, 1)) in pairs
    assert len(pairs) == (2 if structure == "chow-liu" else 1)

    opened = Run.open(run.folder)
    x = sample_run(opened, 40)
    assert torch.equal(x, sample_run(run, 40))
    path = write_samples(x, tmp_path / "draws.csv", opened.record.data.field)
    header, *lines = path.read_text().replace('"', "").splitlines()
    assert header == "rain,seen,level"
    assert {line.split(",")[1] for line in lines} == {"Asy/Patch", "<5"}
    assert {line.split(",")[2] for line in lines} <= {"2", "10", "12"}

    figures = evaluate_run(opened, setting=Setting(samples=30)).evaluation.figures
    assert figures["log_prob"].kind == "exact"
    data = opened.data()
    exact = opened.model().log_prob(data.test.x).mean().item()
    assert figures["log_prob"].value == pytest.approx(exact, rel=1e-12)
    assert data.duplicates_removed == 0


def test_other_data_are_read_under_the_states_of_the_run(states_csv: Path, tmp_path: Path) -> None:
    run = fit("bayes-net", states_csv, out=tmp_path / "run")
    lines = states_csv.read_text().splitlines()
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("\n".join([lines[0], *(line for line in lines[1:] if "12" in line)]))
    found = run.same_kind(str(fewer))
    assert set(found.train.x[:, 2].tolist()) == {2}
    strange = tmp_path / "strange.csv"
    strange.write_text("\n".join(lines).replace("Asy/Patch", "other"))
    with pytest.raises(DataError, match="column 'seen' has the state 'other'"):
        run.same_kind(str(strange))
    short = tmp_path / "short.csv"
    short.write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    with pytest.raises(RunError, match="models the columns"):
        run.same_kind(str(short))


def test_graphs_that_do_not_fit_are_refused(states_csv: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.bif"
    path.write_text(BIF)
    assert graph_of_file(str(path), ("rain", "seen", "level")) == FileGraph(edges=(0, 1))
    with pytest.raises(ConfigError, match=r"'seen': the table has no such column; settings="):
        graph_of_file(str(path), ("rain", "level"))
    found = graph_of_file(str(path), ("seen", "level"), latent=True)
    assert found == FileGraph(edges=(2, 0), latent=("rain",), latent_states=(2,))
    with pytest.raises(ConfigError, match="'sun': the file has no such node"):
        graph_of_file(str(path), ("rain", "seen", "level", "sun"), latent=True)
    with pytest.raises(DataError, match="no such file"):
        plan("bayes-net", states_csv, settings={"structure": "missing.bif"})
    with pytest.raises(ConfigError, match="bayes-net needs tables or mixed, moons holds vectors"):
        plan("bayes-net", "moons")


def test_it_compares_with_itself_on_tables_only(states_csv: Path, tmp_path: Path) -> None:
    made = contest(str(states_csv), models=["bayes-net"], out=tmp_path / "both")
    assert made.data.kind == "tables"
    path = tmp_path / "rows.csv"
    path.write_text(
        "a,rain\n" + "".join(f"{3 * i * i},{('no', 'yes')[i % 2]}\n" for i in range(30))
    )
    with pytest.raises(
        ConfigError, match="kde needs vectors or images, rows holds mixed: 'rain' has no"
    ):
        contest(str(path), models=["bayes-net", "kde"], out=tmp_path / "mixed")


def test_rows_impossible_without_pseudo_counts_are_no_figure(tmp_path: Path) -> None:
    path = tmp_path / "rare.csv"
    path.write_text("a\n" + "x\n" * 40 + "\n".join("yz") + "\n")
    run = fit(
        "bayes-net", path, settings={"pseudo_count": 0.0, "split_seed": 1}, out=tmp_path / "r"
    )
    assert run.record.result.status == "finished"
    x = torch.tensor([[0], [1], [2]], dtype=torch.uint8)
    p = run.model().log_prob(x).exp()
    assert p.sum().item() == pytest.approx(1)


def test_rows_are_scored_under_the_states_of_the_run(states_csv: Path, tmp_path: Path) -> None:
    run = fit("bayes-net", str(states_csv), out=tmp_path / "net")
    lines = states_csv.read_text().splitlines()
    whole = score_rows(run, str(states_csv)).scores["surprise"]
    # A part of the file that lacks states of its columns, which then have other places in it.
    chosen = [i for i, line in enumerate(lines[1:]) if line.startswith("yes")][:3]
    part = tmp_path / "part.csv"
    part.write_text("\n".join([lines[0], *(lines[1 + i] for i in chosen)]) + "\n")
    assert score_rows(run, str(part)).scores["surprise"].tolist() == whole[chosen].tolist()
    assert len(set(whole.tolist())) > 1


def test_rows_that_cannot_be_scored_are_named(states_csv: Path, tmp_path: Path) -> None:
    run = fit("bayes-net", str(states_csv), out=tmp_path / "net")
    lines = states_csv.read_text().splitlines()
    part = tmp_path / "part.csv"
    for cell, said in (("maybe", "'maybe' is no state; the states are"), ("", "the cell is empty")):
        row = ",".join([cell, *lines[2].split(",")[1:]])
        part.write_text("\n".join([lines[0], lines[1], row]) + "\n")
        with pytest.raises(DataError, match=f"row 2, column 'rain': {said}"):
            score_rows(run, str(part))
    part.write_text("\n".join(line.rpartition(",")[0] for line in lines[:3]) + "\n")
    with pytest.raises(RunError, match="models the columns"):
        score_rows(run, str(part))
