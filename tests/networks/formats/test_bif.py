import gzip
import math
from pathlib import Path

import pytest
import torch

from ancestral.errors import DataError
from ancestral.networks import parse_bif, query, read_bif
from ancestral.networks.formats import format_bif

STUDENT = """
// the student network
network student { property author = nobody; }
variable x1 { type discrete [ 2 ] { no, yes }; }
variable x2 { type discrete [ 2 ] { no, yes }; property position = (1, 2); }
variable x3 { type discrete [2] { no, yes }; }
variable x4 { type discrete [ 2 ] { no, yes }; }
probability ( x1 ) { table 0.1, 0.9; }
probability ( x2 | x1 ) { (no) 0.8, 0.2; (yes) 0.25, 0.75; }
probability ( x3 | x1 ) { table 0.7, 0.2, 0.3, 0.8; }
/* the last table
   in two lines and a default */
probability ( x4 | x2, x3 ) {
  (no, no) 0.95, 0.05; (no, yes) 0.40, 0.60;
  (yes, no) 0.35, 0.65;
  default 0.01, 0.99;
}
"""


def test_student_from_text() -> None:
    network = parse_bif(STUDENT)
    assert network.states("x1") == ("no", "yes")
    answer = query(network, ["x3", "x4"], given={"x2": "yes"}).probabilities
    assert answer["x3"]["yes"] == pytest.approx(546 / 695, abs=1e-12)
    assert query(network, ["x4"]).probabilities["x4"]["yes"] == pytest.approx(0.76484, abs=1e-12)


def test_gzipped_files_and_odd_state_names(tmp_path: Path) -> None:
    text = (
        'variable "lung problem" { type discrete [ 3 ] { Asy/Patch, <5, 12+ }; }'
        'probability ( "lung problem" ) { table 0.5 0.25 0.25; }'
    )
    path = tmp_path / "odd.bif.gz"
    path.write_bytes(gzip.compress(text.encode()))
    network = read_bif(path)
    assert network.states("lung problem") == ("Asy/Patch", "<5", "12+")


JAVA_BAYES = """
// Bayesian Network in the Interchange Format
network "Missed 'Bus' { of today }" { //2 variables and 2 probability distributions
}
variable  "late" { //2 values
\ttype discrete[2] {  "true"  "false" };
\tproperty "position = (73, 165)" ;
}
variable  "bus" { //2 values
\ttype discrete[2] {  "true"  "false" };
}
probability (  "bus"  "late" ) { //2 variable(s) and 4 values
\ttable 0.6 0.1 0.4 0.9 ;
}
probability (  "late" ) { //1 variable(s) and 2 values
\ttable 0.3 0.7 ;
}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ('"bus"  "late"', '"bus" | "late"'),
        ('"bus"  "late"', '"bus", "late"'),
        ("0.6 0.1 0.4 0.9", "0.6, 0.1, 0.4, 0.9"),
        ("table 0.6 0.1 0.4 0.9 ;", '("true") 0.6 0.4 ; ("false") 0.1, 0.9;'),
        ("\n// Bayes", 'Written by "A, for a 5" disk, as a network of two;\n{ no more }\n// Bayes'),
        ("\n// Bayes", "/* one */ // two\nand this\n// Bayes"),
    ],
)
def test_commas_bars_and_what_comes_before_may_be_left_out(old: str, new: str) -> None:
    network = parse_bif(JAVA_BAYES.replace(old, new, 1))
    assert (network.graph.parents("bus"), network.states("late")) == (("late",), ("true", "false"))
    answer = query(network, ["bus"], given={"late": "true"})
    assert answer.probabilities["bus"]["true"] == pytest.approx(0.6, abs=1e-15)
    assert answer.log_evidence == pytest.approx(math.log(0.3), abs=1e-15)
    late = query(network, ["late"], given={"bus": True}).probabilities["late"]["true"]
    assert late == pytest.approx(0.18 / 0.25, abs=1e-15)


def test_lines_are_counted_from_the_top_of_the_file() -> None:
    text = "Some words\nand more\n" + JAVA_BAYES.replace("0.3 0.7", "0.3 0.6")
    with pytest.raises(DataError, match=r"line 19: p\(late\) must be .* sum to 0.9"):
        parse_bif(text)


def test_asia(real_data: Path) -> None:
    network = read_bif(real_data / "bif" / "asia.bif.gz")
    assert len(network.nodes) == 8
    # Lauritzen & Spiegelhalter 1988: p(dysp) = 0.4360, p(lung | smoke) = 0.1 by its table.
    assert query(network, ["dysp"]).probabilities["dysp"]["yes"] == pytest.approx(0.43597, abs=1e-5)
    answer = query(network, ["lung"], given={"xray": "yes", "smoke": "yes"})
    assert answer.probabilities["lung"]["yes"] == pytest.approx(0.646, abs=1e-3)


@pytest.mark.parametrize("name", ["alarm", "child", "insurance", "hailfinder", "win95pts"])
def test_real_networks_are_read_whole(real_data: Path, name: str) -> None:
    sizes = {"alarm": 37, "child": 20, "insurance": 27, "hailfinder": 56, "win95pts": 76}
    network = read_bif(real_data / "bif" / f"{name}.bif.gz")
    assert len(network.nodes) == sizes[name]


def test_reading_agrees_with_a_peer(real_data: Path, tmp_path: Path) -> None:
    gum = pytest.importorskip("pyagrum")
    raw = gzip.decompress((real_data / "bif" / "alarm.bif.gz").read_bytes())
    (tmp_path / "alarm.bif").write_bytes(raw)
    peer, network = gum.loadBN(str(tmp_path / "alarm.bif")), parse_bif(raw.decode())
    assert set(peer.names()) == set(network.nodes)
    for name, node in network.nodes.items():
        assert peer.variable(name).labels() == network.states(name)
        order = [*node.parents, name]
        theirs = peer.cpt(name).reorganize(order[::-1]).toarray()
        # Its reader keeps float32.
        torch.testing.assert_close(
            network.table(name).probabilities, torch.tensor(theirs), atol=2e-7, rtol=0
        )


def test_a_double_quote_cannot_be_written() -> None:
    text = "variable a { type discrete [ 1 ] { x }; } probability ( a ) { table 1; }"
    network = parse_bif(text)
    network.table("a").states = ('say "x"',)
    with pytest.raises(DataError, match="BIF has no way to write a double quote"):
        format_bif(network)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("", "holds no variable: not a BIF network"),
        ("hello", "line 1: expected network, variable or probability, got 'hello'"),
        ("variable a {\n type discrete [ 3 ] { x, y }; }", "line 2: variable 'a' announces 3"),
        ("variable a {\n type continuous; }", "line 2: variable 'a' must be discrete"),
        ("variable a { }", "variable 'a' has no type"),
        ("variable a { type discrete [ 2 ] { x, y }; }", "line 1: no probability table for 'a'"),
        (
            "variable a { type discrete [ 2 ] { x, y };",
            "line 1: expected '}', got the end of the file",
        ),
        ("probability ( a ) { table 1; }", "no variable 'a' is declared above"),
    ],
)
def test_malformed_text_names_its_line(broken: str, message: str) -> None:
    with pytest.raises(DataError, match=message.replace("(", r"\(").replace("[", r"\[")):
        parse_bif(broken)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("table 0.1, 0.9;", "table 0.1, 0.8;", r"line 8: p\(x1\) must .* sum to 0.9"),
        ("table 0.1, 0.9;", "table 0.1, 0.5, 0.4;", "line 8: 'x1' needs 2 probabilities, got 3"),
        ("table 0.1, 0.9;", "table 0.1, many;", "line 8: expected a number, got 'many'"),
        ("default 0.01, 0.99;", "", r"p\(x4 \| yes, yes\) .* a row is missing"),
        ("(no) 0.8, 0.2;", "(maybe) 0.8, 0.2;", "'x1' has no state 'maybe'"),
        ("(no) 0.8, 0.2;", "(no, no) 0.8, 0.2;", "expected states of 1 parents, got 2"),
        ("(no) 0.8, 0.2;", "(no) 0.8;", "'x2' needs 2 probabilities, got 1"),
        ("x2 | x1", "x2 | x9", "no variable 'x9'"),
        ("( x3 | x1 )", "( x2 | x1 )", "'x2' has two probability tables"),
        ("( x1 ) { table 0.1, 0.9; }", "( x1 | x4 ) { default 0.1, 0.9; }", "no cycle"),
        ("(yes) 0.25", "(no) 0.25", r"line 9: the row \(no\) is given twice"),
        ("{ no, yes }; property", "{ no, no }; property", "line 5: the states of 'x2' must differ"),
        ("( x2 | x1 )", "( x2 | x2 )", "line 9: the parents of 'x2' must differ"),
        ("(no, yes) 0.40", "(no, yes) -0.40", r"line 14: p\(x4 \| no, yes\) must be"),
        ("student {", 'student "{', "line 3: expected a closing"),
        ("variable x2", "variable x1", "'x1' is declared twice"),
        ("( x2 | x1 )", "( x2 | ; )", r"line 9: expected '\)', got ';'"),
        ("( x2 | x1 )", "( x2 x3 | x1 )", r"line 9: expected '\)', got '\|'"),
    ],
)
def test_broken_blocks_are_named(old: str, new: str, message: str) -> None:
    assert old in STUDENT
    with pytest.raises(DataError, match=message):
        parse_bif(STUDENT.replace(old, new, 1))


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_bif(tmp_path / "none.bif")
    (tmp_path / "cut.bif.gz").write_bytes(gzip.compress(STUDENT.encode())[:-9])
    with pytest.raises(DataError, match="cannot read"):
        read_bif(tmp_path / "cut.bif.gz")
    (tmp_path / "binary.bif").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot read"):
        read_bif(tmp_path / "binary.bif")
