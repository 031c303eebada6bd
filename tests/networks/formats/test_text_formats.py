"""Malformed NET, UAI and XMLBIF files: each error names the line, what was due and what came."""

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestral.errors import DataError
from ancestral.networks import query
from ancestral.networks.formats import format_bif, parse_bif, parse_net, parse_uai, parse_xmlbif

NET = """net { node_size = (80 40); }
% a comment with ( and "
node rain { label = "Rain; % today"; states = ("no" "12+"); position = (1 2); }
discrete node wet {
  states = ("no" "yes");
}
potential (rain) { data = (0.8 0.2); }
potential (wet | rain) {
  data = ((0.9 0.1) % dry
          (0.2 0.8));
}
"""
UAI = "BAYES\n2\n2 2\n2\n1 0 # rain\n2 0 1\n\n2\n 0.8 0.2\n4\n 0.9 0.1\n 0.2 0.8\n"
BIF = format_bif(parse_net(NET)) + "// end"
XML = """<?xml version="1.0"?>
<BIF VERSION="0.3"><NETWORK><NAME>wet</NAME>
<VARIABLE TYPE="nature"><NAME> rain </NAME><OUTCOME>no</OUTCOME><OUTCOME>12+</OUTCOME></VARIABLE>
<VARIABLE TYPE="nature"><NAME>wet</NAME><OUTCOME>no</OUTCOME><OUTCOME>yes</OUTCOME>
  <PROPERTY>position = (1, 2)</PROPERTY></VARIABLE>
<DEFINITION><FOR>rain</FOR><TABLE>0.8 0.2</TABLE></DEFINITION>
<DEFINITION><FOR>wet</FOR><GIVEN>rain</GIVEN>
  <TABLE>0.9 0.1 <!-- dry -->
         0.2 0.8</TABLE></DEFINITION>
</NETWORK></BIF>
"""


def test_the_texts_say_the_same() -> None:
    for network in (parse_net(NET), parse_xmlbif(XML), parse_xmlbif(XML.encode())):
        assert network.states("rain") == ("no", "12+")
        answer = query(network, ["rain"], given={"wet": "yes"})
        assert answer.probabilities["rain"]["12+"] == pytest.approx(0.16 / 0.24, abs=1e-12)
    for text in (UAI, f"c rain 1 2\nc\n{UAI}c"):
        answer = query(parse_uai(text), ["0"], given={"1": "1"})
        assert answer.probabilities["0"]["1"] == pytest.approx(0.16 / 0.24, abs=1e-12)


def fails(read: object, text: str, old: str, new: str, message: str) -> None:
    assert old in text
    with pytest.raises(DataError, match=re.escape(message)):
        read(text.replace(old, new, 1))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("net {", "nets {", "line 1: expected net, node or potential, got 'nets'"),
        ("net {", "net", "line 1: expected '{', got 'node_size'"),
        ("discrete node wet", "continuous node wet", "line 4: expected net, node or potential"),
        ('states = ("no" "yes");', "", "line 6: expected states of 'wet', got none"),
        ('"yes");', '"no");', "the states of 'wet' must differ, got 'no' twice"),
        ('"yes");', '"yes"', "expected names of the states of 'wet', got '}'"),
        ("node wet", "node rain", "line 4: variable 'rain' is declared twice"),
        ("potential (rain)", "potential (snow)", "line 7: no variable 'snow' is declared above"),
        ("(wet | rain)", "(wet ; rain)", "line 8: expected ')' or '|', got ';'"),
        ("(wet | rain)", "(wet | wet)", "line 8: the parents of 'wet' must differ"),
        ("(wet | rain)", "(rain | wet)", "line 8: 'rain' has two probability tables"),
        ("data = (0.8 0.2);", "", "line 7: expected data of 'rain', got none"),
        ("data = (0.8", "= data (0.8", "line 7: expected an attribute or '}', got '='"),
        ("(0.2 0.8)", "(0.2 much)", "line 10: expected a number, got 'much'"),
        ("(0.2 0.8)", "(0.2 0.7)", "line 10: p(wet | 12+) must be probabilities that sum to 1"),
        ("(0.2 0.8)", "(0.2)", "line 10: 'wet' needs 4 probabilities, got 3"),
        ("(0.2 0.8))", "(0.2 0.8)", "line 10: expected as many '(' as ')', got 3 and 2"),
        ("(0.2 0.8));\n}", "(0.2 0.8))", "line 10: expected ';', got the end of the file"),
        ("data = (0.8", 'data = ("0.8', "line 7: expected a closing '\"', got none"),
    ],
)
def test_malformed_net(old: str, new: str, message: str) -> None:
    fails(parse_net, NET, old, new, message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("BAYES", "MARKOV", "line 1: expected BAYES, got MARKOV: a Markov network is undirected"),
        ("BAYES", "bayes", "line 1: expected BAYES, got 'bayes'"),
        ("\n2\n2 2", "\n-2\n2 2", "line 2: expected the number of variables, at least 0, got '-2'"),
        ("2 2\n2", "2 0\n2", "line 3: expected a number of states, at least 1 and at most"),
        ("2 2\n2", "2 999999999999\n2", "line 3: expected a number of states, at least 1 and at"),
        ("2 2\n2", f"2 {'9' * 5000}\n2", "line 3: expected a number of states, at least 1 and at"),
        ("2 2\n2", "2 2\n3", "line 4: expected 2 factors, one for each variable, got 3"),
        ("2 0 1", "2 0 9", "line 6: expected a variable, at least 0 and at most 1, got '9'"),
        ("2 0 1", "2 1 0", "line 10: '0' has two probability tables"),
        ("\n4\n", "\n5\n", "line 10: '1' needs 4 probabilities, 5 are announced"),
        ("0.2 0.8\n", "0.2 x\n", "line 12: expected a number, got 'x'"),
        ("0.2 0.8\n", "0.2 0.7\n", "line 12: p(1 | 1) must be probabilities that sum to 1"),
        ("0.2 0.8\n", "0.2\n", "line 12: expected 4 probabilities, got 3"),
        ("0.2 0.8\n", "0.2 0.8 1\n", "line 12: expected the end of the file, got '1'"),
    ],
)
def test_malformed_uai(old: str, new: str, message: str) -> None:
    fails(parse_uai, UAI, old, new, message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</NETWORK>", "", "line 10: expected well-formed XML, got: mismatched tag"),
        ('<BIF VERSION="0.3">', "<HTML>", "line 2: expected <BIF>, got <HTML>"),
        ("<NAME>wet</NAME><OUT", "<OUT", "line 5: expected one <NAME> in the VARIABLE, got 0"),
        ('nature"><NAME>wet', 'utility"><NAME>wet', "expected a variable of TYPE nature, got"),
        ("<OUTCOME>12+", "<OUTCOME>no", "line 3: the states of 'rain' must differ"),
        ("<FOR>rain", "<FOR>snow", "line 6: no variable 'snow' is declared above"),
        ("0.2 0.8<", "0.2 x<", "line 8: expected numbers, got 'x'"),
        ("0.2 0.8<", "0.2 0.7<", "line 8: p(wet | 12+) must be probabilities that sum to 1"),
        ("0.2 0.8<", "0.2<", "line 9: 'wet' needs 4 probabilities, got 3"),
        ("<TABLE>0.8 0.2</TABLE>", "", "line 6: expected one <TABLE> in the DEFINITION, got 0"),
        ("<FOR>rain", "<FOR><b/>rain", "line 6: expected text inside <FOR>, got <b>"),
        ("<BIF", '<!DOCTYPE BIF [<!ENTITY a "b">]><BIF', "line 2: expected no declaration of ent"),
        ("<DEFINITION><FOR>rain</FOR><TABLE>0.8 0.2</TABLE></DEFINITION>", "",
         "line 3: no probability table for 'rain'"),
    ],
)  # fmt: skip
def test_malformed_xmlbif(old: str, new: str, message: str) -> None:
    fails(parse_xmlbif, XML, old, new, message)


@pytest.mark.parametrize("read", [parse_net, parse_uai, parse_xmlbif])
def test_nothing_is_no_network(read: object) -> None:
    with pytest.raises(DataError):
        read("")  # type: ignore[operator]


def test_a_table_too_large_is_refused_before_it_is_made() -> None:
    sizes = " ".join(["2"] * 41)
    scopes = "\n".join(
        [*(f"1 {index}" for index in range(40)), f"41 {' '.join(map(str, range(41)))}"]
    )
    text = f"BAYES\n41\n{sizes}\n41\n{scopes}\n" + "2 0.5 0.5\n" * 40 + f"{2**41} 0.5 0.5"
    with pytest.raises(DataError, match=r"line 86: the table of '40' would have 2.2e\+12 entries"):
        parse_uai(text)


@pytest.mark.parametrize(
    ("read", "text"), [(parse_bif, BIF), (parse_net, NET), (parse_uai, UAI), (parse_xmlbif, XML)]
)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_whatever_is_broken_the_error_is_ours(read: object, text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(start + 12, len(text))))
        put = data.draw(
            st.sampled_from(["", " ", "\n", "-", "9", "{", "}", "(", ")", ";", '"', "x"])
        )
        text = text[:start] + put + text[stop:]
    with contextlib.suppress(DataError):  # Some changes leave a network.
        read(text)  # type: ignore[operator]
