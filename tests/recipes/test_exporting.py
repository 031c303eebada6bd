from pathlib import Path

import pytest
import torch

from ancestral.errors import ConfigError, DataError, RunError
from ancestral.networks import BayesianNetwork, Node, Table, write_network
from ancestral.recipes import EXPORTS, export_run, open_network

NETWORKS = ["bif", "xmlbif", "uai", "net"]


@pytest.mark.parametrize("to", NETWORKS)
def test_networks_keep_their_numbers(to: str, tmp_path: Path) -> None:
    out = tmp_path / "new" / f"student.{to}.gz"
    answer = export_run("student", out, to=to)
    assert answer == {"source": "student", "to": to, "out": str(out), "nodes": 4, "edges": 4}
    student, back = open_network("student"), open_network(out)
    for name, other in zip(student.nodes, back.nodes, strict=True):
        assert torch.equal(student.table(name).probabilities, back.table(other).probabilities)


def test_the_table_of_formats_says_what_each_needs() -> None:
    assert set(NETWORKS) <= set(EXPORTS)
    for name, each in EXPORTS.items():
        assert each.name == name
        assert "needs" in each.about


def test_what_cannot_be_written_leaves_what_stood_there(tmp_path: Path) -> None:
    source, out = tmp_path / "odd.net", tmp_path / "odd.bif"
    write_network(BayesianNetwork([Node('a"b', Table([0.5, 0.5]))]), source)
    out.write_text("mine")
    with pytest.raises(RunError, match="give overwrite=True"):
        export_run(source, out, to="bif")
    with pytest.raises(DataError, match="double quote"):
        export_run(source, out, to="bif", overwrite=True)
    assert out.read_text() == "mine"
    with pytest.raises(ConfigError, match="unknown format 'json'"):
        export_run(source, tmp_path / "new" / "odd.json", to="json")
    assert {path.name for path in tmp_path.iterdir()} == {"odd.net", "odd.bif"}
