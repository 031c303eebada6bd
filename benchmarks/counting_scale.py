"""``python -m benchmarks.counting_scale [ROWS ...]``: time and memory of counting a parquet file.

For each number of rows (10^5, 10^6, 10^7 by default) rows of alarm, 37 columns, are sampled into a
parquet file of a temporary folder; a fresh process counts them in chunks. Printed are the seconds
of the count, by the clock and of the processor, the process's peak memory, and the slope of log
processor time, which other processes disturb least, on log rows: 1 is linear.
"""

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet

from ancestral.networks import BayesianNetwork, read_bif
from ancestral.networks.learning import count_file
from benchmarks.counting import FOLDER

CHUNK, SIZES = 100_000, (10**5, 10**6, 10**7)


def write(network: BayesianNetwork, path: Path, rows: int) -> None:
    """Sample rows into a parquet file, a row group a chunk."""
    generator = torch.Generator().manual_seed(0)
    schema = pa.schema([(name, pa.uint8()) for name in network.nodes])
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, CHUNK):
            draws = network.sample(min(CHUNK, rows - start), generator=generator)
            columns = {name: draws[name].numpy().astype(np.uint8) for name in network.nodes}
            writer.write_table(pa.table(columns, schema))


def measure(path: Path) -> dict[str, float]:
    """Count a file; return its seconds and the peak memory of this process in MiB."""
    network = read_bif(FOLDER / "bif" / "alarm.bif.gz")
    # What is done once in a process, imports and pools of threads, has no part in the slope.
    small = path.with_name("small.parquet")
    write(network, small, 1000)
    count_file(network, small)
    wall, cpu = time.perf_counter(), time.process_time()
    counts = count_file(network, path)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"rows": counts.rows, "seconds": wall, "cpu_seconds": cpu, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """Return the peak resident memory of this process; of Linux only."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main(sizes: list[int]) -> None:
    """Write, count and report each size, and then the slope."""
    network = read_bif(FOLDER / "bif" / "alarm.bif.gz")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            path = Path(folder) / f"{rows}.parquet"
            write(network, path, rows)
            command = [sys.executable, "-m", "benchmarks.counting_scale", str(path)]
            answer = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(json.loads(answer.stdout))
            print(json.dumps(found[-1]), flush=True)
            path.unlink()
    if len(found) > 1:
        first, last = found[0], found[-1]
        rise = math.log(last["cpu_seconds"] / first["cpu_seconds"])
        print(json.dumps({"slope": rise / math.log(last["rows"] / first["rows"])}))


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].endswith(".parquet"):
        print(json.dumps(measure(Path(sys.argv[1]))))
    else:
        main([int(float(rows)) for rows in sys.argv[1:]] or list(SIZES))
