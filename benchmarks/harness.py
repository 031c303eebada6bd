"""Interleaved pairs: ours and the peer's in turn, so that a noisy machine disturbs both alike."""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One comparison.

    Args:
        name: What was compared.
        peer: Against what.
        ours_seconds: Median seconds of one call of ours.
        peer_seconds: Median seconds of one call of the peer.
        ratio: Median over rounds of peer / ours; above 1 we are faster.
        rounds: The ratio of each round.
        bar: The ratio that is asked for.
        note: What else must be known to read the figure.
        figures: What the ratio was made of, where it is not one of times.
    """

    name: str
    peer: str
    ours_seconds: float
    peer_seconds: float
    ratio: float
    rounds: list[float]
    bar: float
    note: str = ""
    figures: dict[str, float] = field(default_factory=dict)


def compare(
    name: str,
    *,
    ours: Callable[[], object],
    peer: tuple[str, Callable[[], object]],
    bar: float,
    calls: int = 1,
    rounds: int = 7,
    note: str = "",
) -> Result:
    """Time ``calls`` calls of each side in turn, round after round, after one warm-up of both."""
    peer_name, theirs = peer
    _seconds(ours, max(calls // 4, 1))
    _seconds(theirs, max(calls // 4, 1))
    ours_times, peer_times = [], []
    for number in range(rounds):  # The side that goes first changes, too.
        order = [(ours, ours_times), (theirs, peer_times)]
        for call, times in order if number % 2 == 0 else order[::-1]:
            times.append(_seconds(call, calls) / calls)
    ratios = [its / mine for its, mine in zip(peer_times, ours_times, strict=True)]
    return Result(
        name=name,
        peer=peer_name,
        ours_seconds=statistics.median(ours_times),
        peer_seconds=statistics.median(peer_times),
        ratio=statistics.median(ratios),
        rounds=[round(ratio, 3) for ratio in ratios],
        bar=bar,
        note=note,
    )


def report(result: Result) -> bool:
    """Print one JSON line on standard output, one for people on standard error; return success."""
    machine = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
    }
    print(json.dumps({**asdict(result), **machine}), flush=True)
    reached = result.ratio >= result.bar
    print(
        f"{'ok  ' if reached else 'MISS'} {result.name}: {result.ratio:.2f}x {result.peer} "
        f"(asked {result.bar:g}x; {1e3 * result.ours_seconds:.3g} ms against "
        f"{1e3 * result.peer_seconds:.3g} ms) {result.note}",
        file=sys.stderr,
        flush=True,
    )
    return reached


def _seconds(call: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - start
