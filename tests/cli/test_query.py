import math
from collections.abc import Callable
from pathlib import Path

import pytest


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
