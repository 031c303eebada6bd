"""Modes of the ring of 8 Gaussians that ``gan`` finds: by its defaults, and as WGAN-GP.

A mode is found if at least 5% of the samples lie within three of its standard deviations. Each game
is trained with five seeds for ``ANCESTRAL_RING_STEPS`` steps; the steps of the recipe if not given.
"""

import math
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ancestral.recipes import fit
from ancestral.training import Budget
from benchmarks.harness import Result

SEEDS, SAMPLES, SHARE = 5, 10_000, 0.05
MODES, RADIUS, STD, SCALE = 8, 2.0, 0.1, math.sqrt(2.01)
"""Of the ring, and what its units are divided by."""

GAMES = {"gan by its defaults": {}, "gan, loss=wasserstein": {"loss": "wasserstein"}}


def run() -> Iterator[Result]:
    """Yield, of each game, the fewest modes of a seed over all there are."""
    steps = os.environ.get("ANCESTRAL_RING_STEPS")
    budget = Budget(steps=int(steps)) if steps else None
    for name, settings in GAMES.items():
        found, seconds = [], []
        for seed in range(SEEDS):
            began = time.process_time()
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "run"
                run = fit("gan", "ring", settings=settings, budget=budget, seed=seed, out=out)
                seconds.append(time.process_time() - began)
                generator = torch.Generator().manual_seed(seed)
                found.append(modes_found(run.model().sample(SAMPLES, generator=generator)))
        yield Result(
            name=f"ring of {MODES} Gaussians, modes found: {name}",
            peer="all of them",
            ours_seconds=sorted(seconds)[SEEDS // 2],
            peer_seconds=0.0,
            ratio=min(found) / MODES,
            rounds=[float(count) for count in found],
            bar=1,
            note="processor time; rounds: modes found of each seed",
        )


def modes_found(points: Tensor) -> int:
    """Return how many modes have their share of points [N, 2] near them."""
    angle = torch.arange(MODES, dtype=torch.float64) * (2 * math.pi / MODES)
    middles = torch.stack((angle.cos(), angle.sin()), dim=1) * (RADIUS / SCALE)
    near = torch.cdist(points.double(), middles) < 3 * STD / SCALE
    return int((near.double().mean(dim=0) >= SHARE).sum())
