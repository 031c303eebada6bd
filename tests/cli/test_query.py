import math
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet


def test_json_has_the_promised_shape(cli: Callable) -> None:
    answer = cli("query", "student", "x3", "--given", "x2=1", "--json").json
    assert set(answer) == {"network", "given", "posteriors", "log_evidence"}
    assert answer["given"] == {"x2": "1"}
    # By hand: p(x1 | x2 = 1) = (0.02, 0.675) / 0.695; p(x3 = 1 | x2 = 1) = 0.546 / 0.695.
    assert answer["posteriors"]["x3"]["1"] == pytest.approx(0.546 / 0.695)
    assert answer["log_evidence"] == pytest.approx(math.log(0.695))


def test_all_that_are_not_given_by_default(cli: Callable) -> None:
    answer = cli("query", "student", "--given", "x1=1", "x2=0", "--json").json
    assert set(answer["posteriors"]) == {"x3", "x4"}


def test_bars_and_a_picture(cli: Callable, tmp_path: Path) -> None:
    out = tmp_path / "student.svg"
    outcome = cli("query", "student", "x4", "--given", "x1=1", "--out", out)
    assert outcome.status == 0
    assert "0.814000" in outcome.out
    assert "█" in outcome.out
    assert out.read_text().startswith("<svg")


def test_a_network_in_a_file(cli: Callable, real_data: Path) -> None:
    (path,) = (real_data / "bif").glob("asia.bif*")
    answer = cli("query", path, "lung", "--given", "smoke=yes", "xray=yes", "--json").json
    assert sum(answer["posteriors"]["lung"].values()) == pytest.approx(1)
    # Smoking and a dark x-ray: p(lung | smoke, xray) of Lauritzen & Spiegelhalter 1988.
    assert answer["posteriors"]["lung"]["yes"] == pytest.approx(0.6460, abs=1e-3)


def test_impossible_evidence_is_one_line(cli: Callable, tmp_path: Path) -> None:
    path = tmp_path / "n.bif"
    path.write_text(
        "network n {}\nvariable a { type discrete [2] {yes, no}; }\n"
        "probability (a) { table 1.0, 0.0; }\n"
    )
    assert "probability 0" in cli("query", path, "--given", "a=no").line
    path.write_text("not a network")
    assert "n.bif" in cli("query", path).line


def test_an_intervention_is_not_evidence(cli: Callable) -> None:
    done = cli("query", "student", "x1", "x4", "--do", "x2=1", "--json").json
    assert done["posteriors"]["x1"]["1"] == pytest.approx(0.90)  # Nothing was learned of x1.
    assert done["do"] == {"x2": "1"}
    # By hand: p(x3 = 1) = 0.75 as if nothing were known; p(x4 = 1 | x2 = 1, x3) = 0.65, 0.99.
    assert done["posteriors"]["x4"]["1"] == pytest.approx(0.25 * 0.65 + 0.75 * 0.99)
    given = cli("query", "student", "x1", "--given", "x2=1", "--json").json
    assert given["posteriors"]["x1"]["1"] == pytest.approx(0.675 / 0.695)


def test_soft_evidence(cli: Callable) -> None:
    answer = cli("query", "student", "x1", "--likelihood", "x2=1,3", "--json").json
    one = 0.9 * (0.25 * 1 + 0.75 * 3)
    assert answer["posteriors"]["x1"]["1"] == pytest.approx(one / (one + 0.1 * (0.8 + 0.2 * 3)))


def test_most_probable_states(cli: Callable) -> None:
    answer = cli("query", "student", "--mpe", "--json").json
    assert answer["most_probable"] == {"x1": "1", "x2": "1", "x3": "1", "x4": "1"}
    assert answer["log_probability"] == pytest.approx(math.log(0.9 * 0.75 * 0.8 * 0.99))
    some = cli("query", "student", "x3", "--mpe", "--given", "x2=0", "x4=0")
    assert "log p(states, evidence)" in some.out


def test_a_joint(cli: Callable) -> None:
    answer = cli("query", "student", "x2", "x3", "--joint", "--json").json
    cells = {tuple(cell["states"].values()): cell["probability"] for cell in answer["joint"]}
    assert cells["1", "1"] == pytest.approx(0.546)
    assert sum(cells.values()) == pytest.approx(1)
    shown = cli("query", "student", "x2", "x3", "--joint").out
    assert shown.index("0.546") < shown.index("0.204")


def test_rows_of_evidence(cli: Callable, tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "answers.csv"
    rows.write_text("x2,x4\n1,\n0,1\n,\n")
    assert cli("query", "student", "x1", "--rows", rows, "--out", out).status == 0
    header, *lines = [line.split(",") for line in out.read_text().splitlines()]
    assert header == ["x1=0", "x1=1", "log_evidence"]
    assert float(lines[0][1]) == pytest.approx(0.675 / 0.695)
    assert float(lines[2][1]) == pytest.approx(0.9)
    one = cli("query", "student", "x1", "--given", "x2=0", "x4=1", "--json").json
    assert float(lines[1][1]) == pytest.approx(one["posteriors"]["x1"]["1"])
    assert float(lines[1][2]) == pytest.approx(one["log_evidence"])
    answer = cli("query", "student", "x1", "--rows", rows, "--json").json
    assert answer["rows"] == 3
    words = ["query", "student", "x1", "--rows", rows, "--out"]
    assert cli(*words, tmp_path / "answers.parquet").status == 0
    table = parquet.read_table(tmp_path / "answers.parquet")
    assert table.column_names == header
    assert [list(row.values()) for row in table.to_pylist()] == answer["posteriors"]
    assert "tables are written to csv, tsv, parquet" in cli(*words, tmp_path / "answers.doc").line
    rows.write_text("x2,x4\n1,maybe\n")
    assert (
        "row 1, column 'x4': 'maybe' is no state; the states are 0, 1"
        in cli("query", "student", "--rows", rows).line
    )


@pytest.mark.parametrize("method", ["likelihood-weighting", "rejection", "gibbs", "loopy"])
def test_estimates_say_that_they_are(cli: Callable, method: str) -> None:
    words = ["query", "student", "x1", "--given", "x4=1", "--method", method]
    answer = cli(*words, "--json").json
    exact = cli("query", "student", "x1", "--given", "x4=1", "--json").json
    found, truth = answer["posteriors"]["x1"]["1"], exact["posteriors"]["x1"]["1"]
    if method == "loopy":  # It draws nothing, and the student network has a loop.
        assert answer["standard_errors"] is None
        assert found == pytest.approx(truth, abs=0.05)
    else:
        assert abs(found - truth) < 5 * answer["standard_errors"]["x1"]["1"]
    assert answer["method"]
    assert "estimate" in cli(*words).out


def test_what_does_not_go_together(cli: Callable, tmp_path: Path) -> None:
    assert "only one of" in cli("query", "student", "--mpe", "--joint").line
    assert "--do" in cli("query", "student", "--score", "t.csv", "--do", "x2=1").line
    assert "--draws needs a --method that draws" in cli("query", "student", "--draws", "5").line
    assert "--method exact" in cli("query", "student", "--mpe", "--method", "gibbs").line
    assert "--memory" in cli("query", "student", "--memory", "0").line
    assert "--likelihood x2" in cli("query", "student", "--likelihood", "x2=a,b").line


def test_too_large_says_so_and_offers_an_estimate(cli: Callable, real_data: Path) -> None:
    (path,) = (real_data / "bif").glob("link.bif*")
    line = cli("query", path, "--memory", "0.001").line
    assert "GiB" in line or "MiB" in line
    assert "likelihood" in line


def test_a_blank_line_of_one_column_is_a_row(cli: Callable, tmp_path: Path) -> None:
    rows = tmp_path / "one.csv"
    rows.write_text("x2\n1\n\n0\n")
    answer = cli("query", "student", "x1", "--rows", rows, "--json").json
    assert [line[1] for line in answer["posteriors"]] == pytest.approx(
        [0.675 / 0.695, 0.9, 0.225 / 0.305]
    )
    rows.write_text("x2,x2\n1,0\n")
    assert (
        "two columns have the name 'x2'; rename one" in cli("query", "student", "--rows", rows).line
    )


def test_a_target_named_twice_counts_once(cli: Callable) -> None:
    twice = cli("query", "student", "x1", "x1", "x2", "--mpe", "--given", "x4=0", "--json").json
    once = cli("query", "student", "x1", "x2", "--mpe", "--given", "x4=0", "--json").json
    assert twice == once


def test_evidence_that_contradicts_itself_is_refused(cli: Callable) -> None:
    line = cli("query", "student", "x1", "--given", "x4=1", "--given", "x4=0").line
    assert "--given x4 is given twice: '1' and '0'" in line


def test_a_joint_has_no_picture(cli: Callable, tmp_path: Path) -> None:
    assert "--joint" in cli("query", "student", "--joint", "--out", tmp_path / "a.svg").line


def test_impossible_rows_name_file_and_row(cli: Callable, tmp_path: Path) -> None:
    network, rows = tmp_path / "n.bif", tmp_path / "rows.csv"
    network.write_text(
        "network n {}\nvariable a { type discrete [2] {yes, no}; }\n"
        "probability (a) { table 1.0, 0.0; }\n"
    )
    rows.write_text("a\nyes\nno\n")
    line = cli("query", network, "--rows", rows).line
    assert "rows.csv: row 2: " in line


def test_an_estimate_says_why_not_to_trust_it(cli: Callable, tmp_path: Path) -> None:
    path = tmp_path / "copy.bif"
    path.write_text(
        "network copy { }\n"
        "variable a { type discrete [ 2 ] { no, yes }; }\n"
        "variable b { type discrete [ 2 ] { no, yes }; }\n"
        "probability ( a ) { table 0.5, 0.5; }\n"
        "probability ( b | a ) { (no) 1.0, 0.0; (yes) 0.0, 1.0; }\n"
    )
    words = ["query", path, "--method", "gibbs", "--draws", 10]
    assert "warning: tables that are deterministic" in cli(*words).out
    (warning,) = cli(*words, "--json").json["warnings"]
    assert "(b, a)" in warning
    assert cli("query", "student", "--method", "loopy", "--json").json["warnings"] == []


def test_what_is_done_is_drawn_without_the_arrows_into_it(cli: Callable, tmp_path: Path) -> None:
    seen, done = tmp_path / "seen.svg", tmp_path / "done.svg"
    assert cli("query", "student", "--given", "x2=1", "--out", seen).status == 0
    assert cli("query", "student", "--do", "x2=1", "--out", done).status == 0
    arrow = "x2 depends on x1"
    assert (arrow in seen.read_text(), arrow in done.read_text()) == (True, False)
    assert "x3 depends on x1" in done.read_text()
