"""Reading alarm.bif, unzipped: ours against pyAgrum's reader in C++, and pgmpy's in Python.

pgmpy is no requirement of these benchmarks: where it is not installed, its comparison is skipped.
"""

import gzip
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyagrum
import torch

from ancestral.networks import BayesianNetwork, read_network
from benchmarks.harness import Result, compare

ROOT = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """Return the folder of real networks, as the tests find it."""
    folder = Path(os.environ.get("ANCESTRAL_DATA", ROOT.parent / "shared" / "data")) / "bif"
    if not folder.is_dir():
        raise SystemExit(f"no networks at {folder}; set ANCESTRAL_DATA")
    return folder


def run() -> Iterator[Result]:
    """Yield the comparisons; pyAgrum's tables agree to 2e-7, for its reader keeps float32."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "alarm.bif")
        Path(path).write_bytes(gzip.decompress((data_folder() / "alarm.bif.gz").read_bytes()))
        ours, theirs = read_network(path), pyagrum.loadBN(path)
        for name, node in ours.nodes.items():
            table = theirs.cpt(name).reorganize([name, *node.parents[::-1]]).toarray()
            torch.testing.assert_close(
                ours.table(name).probabilities, torch.tensor(table), atol=2e-7, rtol=0
            )
        yield compare(
            "read alarm.bif",
            ours=lambda: read_network(path),
            peer=("pyAgrum", lambda: pyagrum.loadBN(path)),
            bar=0.2,
            calls=20,
            note="ours keeps float64, the peer float32; equal to 2e-7",
        )
        yield from _pgmpy(ours, path)


def _pgmpy(ours: BayesianNetwork, path: str) -> Iterator[Result]:
    try:
        readwrite = importlib.import_module("pgmpy.readwrite")
    except ImportError:
        print("skip read alarm.bif against pgmpy: pgmpy is not installed", file=sys.stderr)
        return

    def read() -> Any:  # noqa: ANN401 - the peer has no types
        return readwrite.BIFReader(path).get_model()

    theirs = read()
    for name, node in ours.nodes.items():
        factor = theirs.get_cpds(name).to_factor()
        axes = [factor.variables.index(each) for each in (*node.parents, name)]
        table = torch.tensor(factor.values, dtype=torch.float64).permute(*axes)
        for axis, each in enumerate((*node.parents, name)):  # Its states may stand in any order.
            order = [factor.state_names[each].index(state) for state in ours.states(each)]
            table = table.index_select(axis, torch.tensor(order))
        torch.testing.assert_close(ours.table(name).probabilities, table, atol=1e-7, rtol=0)
    yield compare(
        "read alarm.bif",
        ours=lambda: read_network(path),
        peer=("pgmpy", read),
        bar=100,
        rounds=5,
        note="equal to 1e-7: ours makes rounded rows sum to 1",
    )
