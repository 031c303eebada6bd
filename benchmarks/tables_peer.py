"""``PYTHON tables_peer.py TRAIN.csv MINUTES ROWS OUT.csv``: the peer's side of ``tables``.

Fits TabularARGN (``mostlyai-engine``), by its own defaults but for the limit of its training, on
one thread, draws rows into a csv and prints one line of JSON. Run by the peer's own interpreter.
"""

import json
import sys
import time
from importlib.metadata import version

import pandas as pd
import torch
from mostlyai.engine import TabularARGN


def main(train: str, minutes: str, rows: str, out: str) -> None:
    """Fit, draw and tell."""
    torch.set_num_threads(1)
    wall, cpu = time.perf_counter(), time.process_time()
    frame = pd.read_csv(train)
    as_written = pd.read_csv(train, dtype=str, keep_default_na=False)
    for name in frame.select_dtypes("bool").columns:  # Else TRUE would come back as True.
        frame[name] = as_written[name]
    model = TabularARGN(max_training_time=float(minutes), device="cpu", random_state=0)
    model.fit(frame)
    fitted, cpu = time.perf_counter(), time.process_time() - cpu
    model.sample(int(rows)).to_csv(out, index=False)
    told = {"fit": fitted - wall, "cpu": cpu, "draw": time.perf_counter() - fitted}
    print("\n" + json.dumps({**told, "version": version("mostlyai-engine")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
