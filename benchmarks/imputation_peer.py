"""``PYTHON imputation_peer.py GAPS.npz DRAWS OUT.npz``: miceforest's side of ``imputation``.

Reads ``x`` [N, D], NaN where to fill, and ``discrete`` [D]; fills by its own defaults, five rounds,
on one thread; writes ``draws`` [K, N, D]. Run by an interpreter that has miceforest.
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
    for name in frame.columns[found["discrete"]]:
        frame[name] = frame[name].astype("category")
    warnings.simplefilter("ignore")  # Of rare states, which every table has, and of its own speed.
    kernel = ImputationKernel(frame, num_datasets=int(draws), random_state=0)
    kernel.mice(5, num_threads=1)
    filled = [kernel.complete_data(dataset=i).astype(float) for i in range(int(draws))]
    np.savez(out, draws=np.stack([each.to_numpy() for each in filled]))


if __name__ == "__main__":
    main(*sys.argv[1:])
