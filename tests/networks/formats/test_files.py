"""What every format shares: networks come back as they were written."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ancestral.errors import CapabilityError, DataError
from ancestral.networks import (
    BayesianNetwork,
    LinearGaussian,
    Node,
    Table,
    query,
    read_network,
    student_network,
    write_network,
)
from ancestral.networks.formats import (
    format_bif,
    format_net,
    format_uai,
    format_xmlbif,
    parse_bif,
    parse_net,
    parse_uai,
    parse_xmlbif,
)

FORMATS = {
    "bif": (format_bif, parse_bif),
    "xmlbif": (format_xmlbif, parse_xmlbif),
    "net": (format_net, parse_net),
    "uai": (format_uai, parse_uai),
}
NASTY = ["Asy/Patch", "<5", "12+", "a b", "a//b", "/*", " edge ", "&amp;", "table", "(", "}", "%"]
NASTY += ["", "\\", "\\\\", "node_0", "ñandú", "\n", "1_0", "#", "|", ";", "\r\n", "]]>", "nan"]


def build(
    seed: int, names: list[str], states: list[str], *, least: int = 1, most_parents: int = 3
) -> BayesianNetwork:
    """Return a random network over ``names``, with zeros, ones and tiny numbers in its tables."""
    rng = np.random.default_rng(seed)
    sizes = {name: int(rng.integers(least, min(4, len(states)) + 1)) for name in names}
    nodes = []
    for index, name in enumerate(names):
        count = int(rng.integers(0, min(index, most_parents) + 1))
        parents = [names[i] for i in rng.choice(index, count, replace=False)] if count else []
        shape = [sizes[each] for each in (*parents, name)]
        table = rng.dirichlet(np.full(shape[-1], rng.choice([0.01, 1.0])), shape[:-1])
        picked = [states[i] for i in rng.choice(len(states), sizes[name], replace=False)]
        nodes.append(Node(name, Table(table, states=picked), parents=tuple(parents)))
    return BayesianNetwork(nodes)


def assert_same(left: BayesianNetwork, right: BayesianNetwork) -> None:
    assert list(left.nodes) == list(right.nodes)
    for name, node in left.nodes.items():
        assert node.parents == right.nodes[name].parents
        assert left.states(name) == right.states(name)
        assert torch.equal(left.table(name).probabilities, right.table(name).probabilities)


def words(without: str) -> st.SearchStrategy[list[str]]:
    alphabet = st.characters(codec="utf-8", exclude_characters=without)
    word = st.text(alphabet, max_size=8) | st.sampled_from([w for w in NASTY if w not in without])
    return st.lists(word, min_size=1, max_size=6, unique=True)


CONTROLS = "".join(map(chr, itertools.chain(range(32), (0xFFFE, 0xFFFF)))).translate(
    dict.fromkeys(map(ord, "\t\n\r"))
)


@pytest.mark.parametrize(("kind", "without"), [("bif", '"'), ("xmlbif", CONTROLS), ("net", "")])
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_networks_with_nasty_names_come_back_exactly(
    kind: str, without: str, data: st.DataObject, seed: int
) -> None:
    write, read = FORMATS[kind]
    network = build(seed, data.draw(words(without)), data.draw(words(without)))
    assert_same(read(write(network)), network)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_uai_keeps_all_but_the_names(seed: int) -> None:
    network = build(seed, ["a", "b c", "d", "e", "f"], NASTY)
    back = parse_uai(format_uai(network))
    assert list(back.nodes) == list("01234")
    for new, old in zip(back.nodes, network.nodes, strict=True):
        expected = network.table(old).probabilities
        assert torch.equal(back.table(new).probabilities, expected)
        assert back.states(new) == tuple(map(str, range(expected.shape[-1])))
    assert_same(parse_uai(format_uai(back)), back)


@pytest.mark.parametrize("suffix", [".bif", ".xmlbif", ".bifxml", ".xml", ".net", ".NET", ".uai"])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_the_suffix_chooses(tmp_path: Path, suffix: str, packed: str) -> None:
    path = tmp_path / f"student.v1{suffix}{packed}"
    write_network(student_network(), path)
    first = path.read_bytes()
    assert (first[:2] == b"\x1f\x8b") == bool(packed)
    network = read_network(path)
    x4 = list(network.nodes)[3]
    assert query(network, [x4]).probabilities[x4]["1"] == pytest.approx(0.76484, abs=1e-12)
    write_network(student_network(), path)
    assert path.read_bytes() == first


@pytest.mark.parametrize("kind", FORMATS)
def test_only_tables_are_written(kind: str) -> None:
    network = BayesianNetwork([Node("x", LinearGaussian())])
    with pytest.raises(CapabilityError, match="tables only, node 'x' is none"):
        FORMATS[kind][0](network)
    network = BayesianNetwork([Node("y", Table([[1.0], [1.0]]), parents=("x",))])
    with pytest.raises(CapabilityError, match="tables only, 'x' is an input"):
        FORMATS[kind][0](network)


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must end in one of \.bif, .* got '\.dsc'"):
        read_network(tmp_path / "a.dsc.gz")
    with pytest.raises(DataError, match="no such file"):
        read_network(tmp_path / "a.xml")
    with pytest.raises(DataError, match="cannot write"):
        write_network(student_network(), tmp_path / "none" / "a.bif")
    network = student_network()
    network.table("x1").states = ("\ud800", "b")
    with pytest.raises(DataError, match="cannot write"):
        write_network(network, tmp_path / "a.bif")
    (tmp_path / "a.net").write_bytes(b"net {\n}\n\xff")
    with pytest.raises(DataError, match="line 3: expected UTF-8 text, got byte 0xff"):
        read_network(tmp_path / "a.net")


@pytest.mark.parametrize("kind", ["bif", "xmlbif", "net"])
@pytest.mark.parametrize("name", ["child", "hailfinder", "munin1"])
def test_real_networks_come_back(real_data: Path, kind: str, name: str) -> None:
    network = read_network(real_data / "bif" / f"{name}.bif.gz")
    write, read = FORMATS[kind]
    assert_same(read(write(network)), network)


@pytest.mark.parametrize("suffix", ["bif", "bifxml", "net", "uai"])
def test_a_peer_reads_what_we_write_and_writes_what_we_read(tmp_path: Path, suffix: str) -> None:
    gum = pytest.importorskip("pyagrum")
    # In UAI it takes the first parent, not the last, as the fast one: one parent shows no order.
    most = 1 if suffix == "uai" else 3
    network = build(3, ["a", "b", "c", "d", "e"], ["x", "y", "z"], least=2, most_parents=most)
    write_network(network, path := str(tmp_path / f"ours.{suffix}"))
    peer = gum.loadBN(path)
    names = dict(zip(network.nodes, network.nodes, strict=True))
    if suffix == "uai":
        names = {name: str(index) for index, name in enumerate(network.nodes)}
    for name, node in network.nodes.items():
        order = [names[each] for each in (*node.parents, name)]
        theirs = peer.cpt(order[-1]).reorganize(order[::-1]).toarray()
        ours = network.table(name).probabilities
        # Its readers keep float32, and refuse a variable of one state.
        torch.testing.assert_close(ours, torch.tensor(theirs), atol=2e-7, rtol=0)
    gum.saveBN(peer, path := str(tmp_path / f"theirs.{suffix}"))
    back = read_network(path)
    for name in network.nodes:
        ours, theirs = query(network, [name]), query(back, [names[name]])
        left, right = ours.probabilities[name], theirs.probabilities[names[name]]
        assert list(left.values()) == pytest.approx(list(right.values()), abs=1e-4)
