"""All posteriors given 5 evidence nodes: one case at a time and 1,000 at once, against pyAgrum.

Run under ``env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE``: where these are preset, NumPy's products
can be four times slower.
"""

import itertools
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyagrum as gum
import torch

from ancestral.networks import BayesianNetwork, Inference, read_bif
from ancestral.networks.exact import engine
from benchmarks.harness import Result, compare

DATA = Path(os.environ.get("ANCESTRAL_DATA", Path(__file__).resolve().parents[2] / "shared/data"))
CASES = 20
ROWS = 1000
REPEATED = {"alarm": 3, "insurance": 2, "hailfinder": 2.5, "hepar2": 3, "win95pts": 3, "andes": 2.5}
"""Bars for repeated queries: new evidence each time, on the same nodes."""
FIRST = {name: 1 / (2 if name == "andes" else 1.5) for name in REPEATED}
"""Bars for a network that is asked for the first time."""
BATCHED = {"alarm": 50, "hailfinder": 15, "hepar2": 15, "win95pts": 15}
"""Bars for 1,000 rows of evidence at once, against a loop."""


def run() -> Iterator[Result]:
    """Yield three comparisons a network; all posteriors agree to 1e-12."""
    for name in REPEATED:
        pair = _Pair(read_bif(DATA / "bif" / f"{name}.bif.gz"))
        note = (
            f"{len(pair.network.nodes)} nodes, float64, all posteriors equal to {pair.check():.0e}"
        )
        case = itertools.cycle(pair.cases).__next__
        yield compare(
            f"first query, {name}",
            ours=lambda pair=pair, case=case: pair.first(case()),
            peer=("pyAgrum", lambda pair=pair, case=case: pair.peer_first(case())),
            bar=FIRST[name],
            calls=CASES,
            rounds=5,
            note=note,
        )
        yield compare(
            f"repeated query, {name}",
            ours=lambda pair=pair, case=case: pair.inference.query(given=case()),
            peer=("pyAgrum", lambda pair=pair, case=case: pair.peer_again(case())),
            bar=REPEATED[name],
            calls=CASES,
            note=note,
        )
        if name in BATCHED:
            yield compare(
                f"{ROWS:,} rows of evidence, {name}",
                ours=lambda pair=pair: pair.inference.query_rows(pair.rows),
                peer=("pyAgrum's loop", pair.peer_rows),
                bar=BATCHED[name],
                rounds=3,
                note=note,
            )


class _Pair:
    """One network, ours and the peer's, and evidence on five of its nodes."""

    def __init__(self, network: BayesianNetwork) -> None:
        self.network = network
        self.short = {name: f"n{at}" for at, name in enumerate(network.nodes)}
        self.twin = self._twin()
        nodes = random.Random(0).sample(list(network.nodes), 5)
        draws = network.sample(ROWS, generator=torch.Generator().manual_seed(0))
        self.rows = {name: draws[name].numpy() for name in nodes}
        self.cases = [
            {name: int(column[at]) for name, column in self.rows.items()} for at in range(CASES)
        ]
        self.inference = Inference(network)
        self.peer = self._engine(self.cases[0])

    def _twin(self) -> "gum.BayesNet":
        # Through its API: its file reader keeps float32.
        twin = gum.BayesNet()
        for name, short in self.short.items():
            twin.add(gum.RangeVariable(short, "", 0, len(self.network.states(name)) - 1))
        for name, node in self.network.nodes.items():
            for parent in node.parents:
                twin.addArc(self.short[parent], self.short[name])
        for name, node in self.network.nodes.items():
            axes = [self.short[other] for other in (*node.parents, name)]
            cpt = twin.cpt(self.short[name])
            order = [axes.index(other) for other in reversed(cpt.names)]
            table = self.network.table(name).probabilities.numpy()
            cpt[:] = np.ascontiguousarray(table.transpose(order))
        return twin

    def check(self) -> float:
        """Return the largest difference of any posterior over the cases."""
        worst = 0.0
        for case in self.cases:
            ours = self.inference.query(given=case).probabilities
            for name, theirs in zip(self.short, self.peer_again(case), strict=True):
                off = float(abs(theirs - list(ours[name].values())).max())
                assert off < 1e-12, name
                worst = max(worst, off)
        return worst

    def first(self, case: dict[str, int]) -> object:
        engine._ENGINES.pop(self.network, None)
        return Inference(self.network).query(given=case)

    def peer_first(self, case: dict[str, int]) -> object:
        return self._posteriors(self._engine(case))

    def peer_again(self, case: dict[str, int]) -> list[np.ndarray]:
        for name, state in case.items():
            self.peer.chgEvidence(self.short[name], state)
        return self._posteriors(self.peer)

    def peer_rows(self) -> object:
        columns = {name: column.tolist() for name, column in self.rows.items()}
        return [
            self.peer_again({name: column[at] for name, column in columns.items()})
            for at in range(ROWS)
        ]

    def _engine(self, case: dict[str, int]) -> "gum.LazyPropagation":
        found = gum.LazyPropagation(self.twin)
        found.setEvidence({self.short[name]: state for name, state in case.items()})
        return found

    def _posteriors(self, peer: "gum.LazyPropagation") -> list[np.ndarray]:
        peer.makeInference()
        return [peer.posterior(short).toarray() for short in self.short.values()]
