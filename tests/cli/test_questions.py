"""Questions that combine evidence, soft evidence and interventions, against brute force."""

import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ancestral.networks import BayesianNetwork, Node, Table, student_network, write_network

NAMES = ("x1", "x2", "x3", "x4")
WORDS = ["--given", "x4=1", "--do", "x2=0", "--likelihood", "x3=1,3"]


def weights() -> dict[tuple[int, ...], float]:
    """Return p(x, x4 = 1, what was seen of x3) with x2 set to 0, for every x."""
    student = student_network()
    tables = {name: student.table(name).probabilities.numpy() for name in NAMES}
    return {
        (a, b, c, d): tables["x1"][a] * tables["x3"][a, c] * tables["x4"][b, c, d] * (1, 3)[c]
        for a, b, c, d in itertools.product(*[range(2)] * 4)
        if b == 0 and d == 1
    }


def share(node: str, state: int) -> float:
    mass = weights()
    held = sum(p for x, p in mass.items() if x[NAMES.index(node)] == state)
    return held / sum(mass.values())


def test_posteriors(cli: Callable) -> None:
    answer = cli("query", "student", "x1", "x2", "x3", *WORDS, "--json").json
    for node in ("x1", "x2", "x3"):
        assert answer["posteriors"][node]["1"] == pytest.approx(share(node, 1), abs=1e-12)
    assert answer["log_evidence"] == pytest.approx(math.log(sum(weights().values())))
    assert (answer["given"], answer["do"]) == ({"x4": "1"}, {"x2": "0"})
    assert answer["likelihood"] == {"x3": [1, 3]}
    shown = cli("query", "student", "x1", *WORDS).out
    assert "given x4 = 1, do x2 = 0, likelihood x3 = 1, 3" in shown
    assert "log p(evidence)" in shown


def test_most_probable_states(cli: Callable) -> None:
    mass = weights()
    best = max(mass, key=mass.get)
    answer = cli("query", "student", "--mpe", *WORDS, "--json").json
    assert answer["most_probable"] == {"x1": str(best[0]), "x3": str(best[2])}
    assert answer["log_probability"] == pytest.approx(math.log(mass[best]))
    some = cli("query", "student", "x3", "--mpe", *WORDS, "--json").json
    of_x3 = [sum(p for x, p in mass.items() if x[2] == state) for state in range(2)]
    assert some["most_probable"] == {"x3": str(int(np.argmax(of_x3)))}
    assert some["log_probability"] == pytest.approx(math.log(max(of_x3)))
    assert "'x2' is set: its state is known" in cli("query", "student", "x2", "--mpe", *WORDS).line


def test_a_joint(cli: Callable) -> None:
    mass = weights()
    answer = cli("query", "student", "--joint", *WORDS, "--json").json
    cells = {tuple(cell["states"].values()): cell["probability"] for cell in answer["joint"]}
    assert set(answer["joint"][0]["states"]) == {"x1", "x3"}
    for (a, _, c, _), p in mass.items():
        assert cells[str(a), str(c)] == pytest.approx(p / sum(mass.values()), abs=1e-12)


def test_rows(cli: Callable, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("x4\n1\n\n")
    answer = cli("query", "student", "x1", "--rows", rows, *WORDS[2:], "--json").json
    assert answer["posteriors"][0][1] == pytest.approx(share("x1", 1), abs=1e-12)
    assert answer["posteriors"][0][-1] == pytest.approx(math.log(sum(weights().values())))
    rows.write_text("x2\n1\n")
    line = cli("query", "student", "--rows", rows, "--do", "x2=0").line
    assert "rows.csv: 'x2' cannot be both given and set by do" in line


@pytest.mark.parametrize("method", ["likelihood-weighting", "rejection", "gibbs", "loopy"])
def test_estimates(cli: Callable, method: str) -> None:
    answer = cli("query", "student", "x1", "x2", *WORDS, "--method", method, "--json").json
    found = answer["posteriors"]["x1"]["1"]
    assert answer["posteriors"]["x2"] == {"0": 1.0, "1": 0.0}
    assert answer["do"] == {"x2": "0"}
    if method == "loopy":  # With x2 cut and x4 seen there are no loops: exact.
        assert found == pytest.approx(share("x1", 1), abs=1e-9)
        return
    assert abs(found - share("x1", 1)) < 5 * answer["standard_errors"]["x1"]["1"]
    if method != "gibbs":
        exact, error = math.log(sum(weights().values())), answer["diagnostics"]
        assert abs(error["log_evidence"] - exact) < 5 * error["log_evidence_error"]
    shown = cli("query", "student", "x1", *WORDS, "--method", method).out
    assert "given x4 = 1, do x2 = 0, likelihood x3 = 1, 3" in shown


def test_how_well_it_explains_a_table(cli: Callable, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    draws = student_network().sample(50, generator=torch.Generator().manual_seed(0))
    lines = [",".join(map(str, row)) for row in zip(*(draws[n].tolist() for n in NAMES))]  # noqa: B905
    path.write_text("\n".join([",".join(NAMES), *lines]) + "\n")
    value = student_network().log_prob(draws).sum().item()
    answer = cli("query", "student", "--score", path, "--json").json
    assert answer["table"] == str(path)
    assert (answer["rows"], answer["parameters"]) == (50, 9)
    assert answer["log_likelihood"] == pytest.approx(value)
    assert answer["aic"] == pytest.approx(18 - 2 * value)
    assert answer["bic"] == pytest.approx(9 * math.log(50) - 2 * value)
    shown = cli("query", "student", "--score", path).out
    assert "BIC" in shown
    assert f"{value:.6f} nats" in shown

    path.write_text("x2\n1\n\n1\n")  # What is missing is summed out.
    answer = cli("query", "student", "--score", path, "--json").json
    assert answer["log_likelihood"] == pytest.approx(2 * math.log(0.695))


def test_rows_that_cannot_be_have_no_log_likelihood(cli: Callable, tmp_path: Path) -> None:
    network, path = tmp_path / "n.bif", tmp_path / "rows.csv"
    write_network(BayesianNetwork([Node("a", Table([1.0, 0.0]))]), network)
    path.write_text("a\n0\n1\n")
    outcome = cli("query", network, "--score", path, "--json")
    assert outcome.json["log_likelihood"] is None
    assert "row 2 has probability 0" in outcome.err
    path.write_text("b\n0\n")
    assert "column 'b' is no node" in cli("query", network, "--score", path).line


def test_how_a_posterior_depends_on_a_table(cli: Callable) -> None:
    words = ["query", "student", "x1=1", "--given", "x2=1", "--sensitivity", "x2"]
    answer = cli(*words, "--json").json
    assert answer["probability"] == pytest.approx(0.675 / 0.695)
    assert (answer["target"], answer["node"]) == ({"x1": "1"}, "x2")
    found = {(entry["parents"]["x1"], entry["state"]): entry for entry in answer["entries"]}
    # p = 0.9 t / (0.9 t + 0.1 * 0.2) in t = p(x2 = 1 | x1 = 1), and 0.675 / (0.675 + 0.1 t).
    assert found["1", "1"]["derivative"] == pytest.approx(0.9 * 0.02 / 0.695**2)
    assert found["0", "1"]["derivative"] == pytest.approx(-0.675 * 0.1 / 0.695**2)
    assert found["0", "0"]["derivative"] == pytest.approx(0.675 * 0.1 / 0.695**2)
    assert found["0", "1"]["entry"] == pytest.approx(0.2)
    shown = cli(*words).out
    assert "p(x1 = 1 | x2 = 1) = 0.971223" in shown
    assert shown.index("0.139744") < shown.index("0.037265")


def test_sensitivities_that_cannot_be(cli: Callable, tmp_path: Path) -> None:
    student = ["query", "student"]
    assert (
        "needs one or more targets, written NODE=STATE" in cli(*student, "--sensitivity", "x1").line
    )
    assert "a target of --sensitivity must be written key=value, got 'x1'" in (
        cli(*student, "x1", "--sensitivity", "x2").line
    )
    assert "no node 'x9'" in cli(*student, "x1=1", "--sensitivity", "x9").line
    assert "no node 'x9'" in cli(*student, "x9=1", "--sensitivity", "x1").line
    assert "'x1' has no state '7'" in cli(*student, "x1=7", "--sensitivity", "x2").line
    both = [*student, "x1=1", "--given", "x1=0", "--sensitivity", "x2"]
    assert "'x1' is a target and given" in cli(*both).line
    line = cli(*student, "x1=1", "--sensitivity", "x2", "--do", "x2=1").line
    assert "--do cannot be combined with --sensitivity" in line
    network = tmp_path / "n.bif"
    write_network(BayesianNetwork([Node("a", Table([1.0])), Node("b", Table([0.5, 0.5]))]), network)
    line = cli("query", network, "b=1", "--sensitivity", "a").line
    assert "--sensitivity needs a node of at least 2 states, 'a' has 1" in line


def test_what_does_not_go_with_a_score(cli: Callable, tmp_path: Path) -> None:
    score = ["query", "student", "--score", tmp_path / "rows.csv"]
    assert "--given cannot be combined with --score" in cli(*score, "--given", "x1=1").line
    assert (
        "targets cannot be combined with --score" in cli("query", "student", "x1", *score[2:]).line
    )
    assert "--score has neither" in cli(*score, "--out", tmp_path / "a.svg").line
    assert "--draws must be at least 4" in (
        cli("query", "student", "--method", "gibbs", "--draws", "3").line
    )


def test_names_may_hold_an_equals_sign(cli: Callable, tmp_path: Path) -> None:
    network = tmp_path / "n.bif"
    both = Node("a=b", Table([[0.9, 0.1], [0.3, 0.7]], states=["u=v", "w"]), ("a",))
    nodes = [Node("a", Table([0.5, 0.5], states=["b", "c"])), both]
    write_network(BayesianNetwork(nodes), network)
    answer = cli("query", network, "a", "--given", "a=b=u=v", "--json").json
    assert answer["given"] == {"a=b": "u=v"}
    assert answer["posteriors"]["a"]["b"] == pytest.approx(0.9 / 1.2)
    answer = cli("query", network, "a=b", "--given", "a=b", "--json").json
    assert answer["given"] == {"a": "b"}
    assert answer["posteriors"]["a=b"]["w"] == pytest.approx(0.1)
    answer = cli("query", network, "a", "--do", "a=b=w", "a=c", "--json").json
    assert answer["do"] == {"a=b": "w", "a": "c"}
    answer = cli("query", network, "a=b=w", "--sensitivity", "a=b", "--json").json
    assert answer["target"] == {"a=b": "w"}
