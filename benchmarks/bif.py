"""Reading alarm.bif, unzipped: ours against pyAgrum's reader in C++."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyagrum
import torch

from ancestral.networks import read_network
from benchmarks.harness import Result, compare

ROOT = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """Return the folder of real networks, as the tests find it."""
    folder = Path(os.environ.get("ANCESTRAL_DATA", ROOT.parent / "shared" / "data")) / "bif"
    if not folder.is_dir():
        raise SystemExit(f"no networks at {folder}; set ANCESTRAL_DATA")
    return folder


def run() -> Iterator[Result]:
    """Yield the comparison; tables agree to 2e-7, for its reader keeps float32."""
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
