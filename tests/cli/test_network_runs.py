"""Runs of bayes-net: fitted to a structure, asked like files, written as files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ancestral.networks import read_network

BIF = """
variable level { type discrete [ 2 ] { low, high }; }
variable rain { type discrete [ 2 ] { no, yes }; }
variable seen { type discrete [ 2 ] { a, b }; }
probability ( level ) { table 0.5, 0.5; }
probability ( rain ) { table 0.5, 0.5; }
probability ( seen | rain ) { (no) 0.5, 0.5; (yes) 0.5, 0.5; }
"""


@pytest.fixture
def net(cli: Callable, states_csv: Path, tmp_path: Path) -> Path:
    """Return a run of rain -> seen and level, tables by maximum likelihood."""
    (tmp_path / "graph.bif").write_text(BIF)
    words = ["--structure", tmp_path / "graph.bif", "--set", "pseudo_count=0"]
    assert cli("fit", "bayes-net", states_csv, *words, "--out", tmp_path / "net").status == 0
    return tmp_path / "net"


def shares(run: Path) -> dict[tuple[str, str], float]:
    """Return how often each (rain, seen) occurs among the rows that the run was fitted to."""
    from ancestral.recipes import Run

    data = Run.open(run).data()
    states = [data.states[data.columns.index(name)] for name in ("rain", "seen")]
    rows, counts = np.unique(data.train.x[:, :2].numpy(), axis=0, return_counts=True)
    return {
        (states[0][a], states[1][b]): n / len(data.train)
        for (a, b), n in zip(rows, counts, strict=True)
    }


def test_the_structure_is_a_flag(cli: Callable, net: Path, states_csv: Path) -> None:
    folder = net.parent
    for word in ("chow-liu", "hill-climb", folder / "graph.bif"):
        outs = folder / f"flag-{Path(word).name}", folder / f"set-{Path(word).name}"
        flag = ["fit", "bayes-net", states_csv, "--structure", word, "--out", outs[0]]
        setting = ["fit", "bayes-net", states_csv, "--set", f"structure={word}", "--out", outs[1]]
        assert cli(*flag, "--json").json["best"] == cli(*setting, "--json").json["best"]
    nets = {"xmlbif", "net"}
    for ending in nets:
        path = folder / f"graph.{ending}"
        assert cli("export", folder / "graph.bif", path, "--to", ending).status == 0
        out = folder / f"by-{ending}"
        assert cli("fit", "bayes-net", states_csv, "--structure", path, "--out", out).status == 0
        assert 'structure = "' in (out / "run.toml").read_text()


def test_a_structure_that_cannot_be(cli: Callable, net: Path, states_csv: Path) -> None:
    fit = ["fit", "bayes-net", states_csv, "--out", net.parent / "new"]
    assert "structure must be hill-climb, chow-liu or a network file" in (
        cli(*fit, "--structure", "tree").line
    )
    both = cli(*fit, "--structure", "chow-liu", "--set", "structure=hill-climb").line
    assert "--structure chow-liu and --set structure=hill-climb must agree" in both
    assert "unknown setting 'structure' of kde" in (
        cli("fit", "kde", "moons", "--structure", "chow-liu", "--out", net.parent / "k").line
    )
    assert "--structure must be left out with --resume" in (
        cli("fit", "--resume", net, "--structure", "chow-liu").line
    )
    assert not (net.parent / "new").exists()


def test_a_run_is_asked_like_a_file(cli: Callable, net: Path) -> None:
    joint = shares(net)
    seen = cli("query", net, "rain", "--given", "seen=<5", "--json").json
    below = joint["no", "<5"] + joint["yes", "<5"]
    assert seen["network"] == str(net)
    assert seen["posteriors"]["rain"]["yes"] == pytest.approx(joint["yes", "<5"] / below)
    assert seen["log_evidence"] == pytest.approx(np.log(below))
    together = cli("query", net, "rain", "seen", "--joint", "--json").json["joint"]
    found = {tuple(cell["states"].values()): cell["probability"] for cell in together}
    assert found == pytest.approx(joint)
    best = cli("query", net, "rain", "seen", "--mpe", "--json").json["most_probable"]
    assert tuple(best.values()) == max(joint, key=joint.get)
    done = cli("query", net, "rain", "--do", "seen=<5", "--json").json
    rain = joint["yes", "<5"] + joint["yes", "Asy/Patch"]
    assert done["posteriors"]["rain"]["yes"] == pytest.approx(rain)
    rows = net.parent / "rows.csv"
    rows.write_text("seen\n<5\n\n")
    lines = cli("query", net, "rain", "--rows", rows, "--json").json["posteriors"]
    assert lines[0][1] == pytest.approx(seen["posteriors"]["rain"]["yes"])
    words = ["--method", "likelihood-weighting", "--draws", "20000", "--json"]
    drawn = cli("query", net, "rain", "--given", "seen=<5", *words).json
    error = drawn["standard_errors"]["rain"]["yes"]
    assert abs(drawn["posteriors"]["rain"]["yes"] - lines[0][1]) < 5 * error


def test_only_networks_are_asked(cli: Callable, fitted: Callable, tmp_path: Path) -> None:
    run = fitted("kde-table")
    assert cli("query", run).line.endswith(
        f"{run} must be a run of bayes-net, a network of probability tables, got one of kde\n"
    )
    assert "is not a run: it has no run.toml" in cli("query", tmp_path).line
    line = cli("query", tmp_path / "nothing.bif").line
    assert "there is no such file or run" in line
    assert "did you mean student?" in cli("query", "studnet").line


@pytest.mark.parametrize("to", ["bif", "xmlbif", "uai", "net"])
def test_a_run_is_written_and_asked_again(cli: Callable, net: Path, to: str) -> None:
    out = net.parent / "deep" / f"written.{to}"
    answer = cli("export", net, out, "--to", to, "--json").json
    assert answer == {"source": str(net), "to": to, "out": str(out), "nodes": 3, "edges": 1}
    if to == "uai":  # It has no names: nodes are numbered in topological order.
        names = list(read_network(out).nodes)
        assert names == ["0", "1", "2"]
        joint = cli("query", out, "--joint", "--json").json["joint"]
        own = cli("query", net, "--joint", "--json").json["joint"]
        assert sorted(c["probability"] for c in joint) == sorted(c["probability"] for c in own)
        return
    asked = ["rain", "level", "--given", "seen=<5", "--json"]
    posteriors = [cli("query", source, *asked).json["posteriors"] for source in (net, out)]
    assert posteriors[0] == posteriors[1]


def test_a_place_that_is_taken_is_left(cli: Callable, net: Path) -> None:
    out = net.parent / "net.bif"
    out.write_text("mine")
    assert "exists; choose another place, or give --overwrite" in (
        cli("export", net, out, "--to", "bif").line
    )
    assert out.read_text() == "mine"
    assert cli("export", net, out, "--to", "bif", "--overwrite").out == f"{out}\n"
    assert read_network(out).graph.edges == (("rain", "seen"),)


def test_what_cannot_be_exported(cli: Callable, fitted: Callable, net: Path) -> None:
    folder = net.parent
    line = cli("export", net, folder / "a.bif", "--to", "bfi").line
    assert "unknown format 'bfi' of --to; did you mean bif" in line
    line = cli("export", net, folder / "new" / "a.net", "--to", "xmlbif").line
    assert "OUT must end in .xmlbif or .bifxml or .xml, or that and .gz, for --to xmlbif" in line
    assert "must be a run of bayes-net" in (
        cli("export", fitted("kde-table"), folder / "a.bif", "--to", "bif").line
    )
    (folder / "broken.bif").write_text("nothing of the kind")
    assert (
        "broken.bif" in cli("export", folder / "broken.bif", folder / "a.net", "--to", "net").line
    )
    assert not (folder / "a.bif").exists()
    assert not (folder / "a.net").exists()
    assert not (folder / "new").exists()


def test_files_are_converted(cli: Callable, tmp_path: Path) -> None:
    first, second, back = (tmp_path / name for name in ("a.bif", "b.net.gz", "c.bif"))
    for source, out in (("student", first), (first, second), (second, back)):
        to = "net" if out == second else "bif"
        assert cli("export", source, out, "--to", to).status == 0
    assert first.read_text() == back.read_text()


def test_samples_are_given_any_column_exactly(cli: Callable, net: Path) -> None:
    joint = shares(net)
    sample = ["sample", net, "-n", 4000, "--json"]
    answer = cli(*sample, "--given", "seen=<5").json
    assert answer["columns"] == ["rain", "seen", "level"]
    rain = [row[0] for row in answer["samples"]]
    assert {row[1] for row in answer["samples"]} == {"<5"}
    exact = joint["yes", "<5"] / (joint["yes", "<5"] + joint["no", "<5"])
    # Five standard errors of a share of 4000 draws.
    assert rain.count("yes") / 4000 == pytest.approx(exact, abs=5 * 0.5 / 4000**0.5)
    assert cli(*sample, "--given", "seen=0").json == answer  # By its number from 0.
    both = cli(*sample, "--given", "seen=<5", "level=10").json["samples"]
    assert {tuple(row[1:]) for row in both} == {("<5", "10")}
    text = cli("sample", net, "-n", 3, "--given", "rain=no").out.splitlines()
    assert text[0] == "rain,seen,level"
    assert all(line.startswith("no,") for line in text[1:])


def test_what_cannot_be_given(cli: Callable, fitted: Callable, net: Path, tmp_path: Path) -> None:
    sample = ["sample", net, "--given"]
    assert "--given takes the nodes rain, seen, level, got 'sun'" in cli(*sample, "sun=yes").line
    assert "unknown state of rain '9'; there are no, yes" in cli(*sample, "rain=9").line
    assert "has no label to be given" in (
        cli("sample", fitted("kde-table"), "--given", "rain=yes").line
    )
    table = tmp_path / "never.csv"
    table.write_text("a,b\n" + "x,u\ny,v\n" * 40)
    words = ["--set", "pseudo_count=0", "edges=0,1", "--out", tmp_path / "never"]
    assert cli("fit", "bayes-net", table, *words).status == 0
    line = cli("sample", tmp_path / "never", "--given", "a=x", "b=v").line
    assert "the evidence has probability 0: a=x, b=v; these cannot hold together" in line


def test_other_models_are_given_what_they_take(
    cli: Callable, fitted: Callable, table: Path, tmp_path: Path
) -> None:
    assert cli("fit", "gmm", table, "--set", "components=2", "--out", tmp_path / "gmm").status == 0
    means = [
        np.mean(
            cli("sample", tmp_path / "gmm", "-n", 500, "--given", f"z={z}", "--json").json[
                "samples"
            ],
            axis=0,
        )
        for z in range(2)
    ]
    assert abs(means[0] - means[1]).max() > 1  # Centimetres, kilograms: two groups.
    line = cli("sample", tmp_path / "gmm", "--given", "z=2").line
    assert "unknown state of z '2'" in line
    line = cli("sample", fitted("image-vae-digits"), "--given", "digit=3").line
    assert "--given takes the node label, got 'digit'" in line


def test_columns_with_strange_names(cli: Callable, tmp_path: Path) -> None:
    table, run = tmp_path / "odd.csv", tmp_path / "odd"
    table.write_text("label,a=b,a\n" + "x,u=v,1\ny,w,2\nx,w,1\n" * 20)
    assert cli("fit", "bayes-net", table, "--out", run).status == 0
    answer = cli("sample", run, "--given", "a=b=u=v", "label=x", "--json").json
    assert {tuple(row[:2]) for row in answer["samples"]} == {("x", "u=v")}
    asked = cli("query", run, "a", "--given", "a=b=u=v", "--json").json
    assert asked["given"] == {"a=b": "u=v"}
    found = cli("evaluate", run, "--json").json["figures"]
    assert found["log_prob"]["kind"] == "exact"
    answer = cli("query", run, "--score", table, "--json").json
    assert answer["rows"] == 60
    other = cli("evaluate", run, table, "--json").json["figures"]
    assert other["log_prob"] == found["log_prob"]


def test_a_table_without_an_ending_replaces_no_csv(
    cli: Callable, net: Path, states_csv: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "mine.csv"
    taken.write_text("years of work\n")
    for words in (
        ["score", net, states_csv],
        ["sample", net],
        ["query", net, "--rows", states_csv],
    ):
        assert f"{taken} exists" in cli(*words, "--out", tmp_path / "mine").line
    assert taken.read_text() == "years of work\n"
    words = ["sample", net, "-n", 3, "--out", tmp_path / "mine", "--overwrite"]
    assert cli(*words).out.strip() == str(taken)
    assert taken.read_text().startswith("rain,seen,level\n")


def test_an_end_that_is_not_used_is_told(cli: Callable, states_csv: Path, tmp_path: Path) -> None:
    words = ["fit", "bayes-net", states_csv, "--out", tmp_path / "net", "--overwrite"]
    said = "bayes-net is fitted at once: the end that was given is not used"
    assert said in cli(*words, "--steps", 3).err
    assert said not in cli(*words).err
