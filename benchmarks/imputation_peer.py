"""``PYTHON imputation_peer.py GAPS.npz DRAWS OUT.npz``: miceforest's side of ``imputation``.

Reads ``x`` [N, D], NaN where to fill, and ``discrete`` [D]; fills on one thread, by its own
defaults but for the matching of states, in five rounds; writes ``draws`` [K, N, D]. Run by an
interpreter that has miceforest.
"""

import sys
import warnings

import numpy as np
import pandas as pd
from miceforest import ImputationKernel


def main(gaps: str, draws: str, out: str) -> None:
    """Fill and write."""
    found = np.load(gaps)
    frame = pd.DataFrame(found["x"], columns=[f"x{i}" for i in range(found["x"].shape[1])])
    states = frame.columns[found["discrete"]]
    frame[states] = frame[states].astype("category")
    warnings.simplefilter("ignore")  # Of rare states, which every table has, and of its own speed.
    # Where a state is rare its own default, neighbours in log-odds, stops at an infinite one.
    fast = dict.fromkeys(states, "fast")
    kernel = ImputationKernel(
        frame, num_datasets=int(draws), mean_match_strategy=fast, random_state=0
    )
    kernel.mice(5, num_threads=1)
    filled = [kernel.complete_data(dataset=i).astype(float) for i in range(int(draws))]
    np.savez(out, draws=np.stack([each.to_numpy() for each in filled]))


if __name__ == "__main__":
    main(*sys.argv[1:])
