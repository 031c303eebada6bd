"""Held-out nats of densities and bounds: is a spline flow better than the best mixture?

    python -m benchmarks.held_out --budget 60s
    python -m benchmarks.held_out --budget 30s --splits 10 --data wine --models gmm,nsf

The data are a noisy swiss roll in three dimensions (10,000 training rows), handwritten digits and
scikit-learn's wine, 178 rows, the last two over several splits. Grey levels and rounded columns are
dequantised by noise as wide as a level or the resolution of the column, constant columns dropped:
of all models alike, so that all nats are those of one density. ``gmm`` and ``kde`` choose their
settings on held-out rows; models that are trained have the budget each.

It exits with 1 unless the spline flow ``nsf`` beats ``gmm`` by more than two paired standard errors
where there are 10,000 rows, and is within one below it, over the splits, where there are fewer. Of
one split the standard error is over the rows, of several over the splits, whose test rows overlap
by chance.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from sklearn.datasets import load_wine, make_swiss_roll
from torch import Generator, Tensor

from ancestral.capabilities import HasDensity
from ancestral.data import Dataset, Loading, load
from ancestral.data.memory import load_any
from ancestral.errors import AncestralError
from ancestral.recipes import fit, recipe_named

MODELS = ("gmm", "kde", "maf", "nsf", "cnf", "diffusion", "vae")
FLOW, MIXTURE = "nsf", "gmm"
ROWS, NOISE = 12_500, 0.5
MANY = 10_000
"""From so many training rows on the flow has to be the better one."""

DRAWS, AT_ONCE = 10, 1_000
"""Draws of noise, or of a bound, averaged for each row; rows scored in one call."""


def read(name: str, seed: int) -> Dataset:
    """Return the data in one of their splits, a tenth each to validate and to test."""
    loading = Loading(seed=seed)
    if name == "digits":
        return load(name, loading)
    x = (
        load_wine().data
        if name == "wine"
        else make_swiss_roll(ROWS, noise=NOISE, random_state=0)[0]
    )
    return load_any(x, loading)


def nats(name: str, data: Dataset, budget: str, seed: int, folder: Path) -> Tensor:
    """Fit a model and return log p, or a bound on it, of the test rows, nats, [N]."""
    own = budget if recipe_named(name).trains else None
    model = fit(name, data, budget=own, seed=seed, out=folder / name).model()
    noise = Generator().manual_seed(seed)
    exact = model.can(HasDensity)
    score, draws = (model.log_prob if exact else model.elbo), 1 if exact and model.exact else DRAWS
    parts = data.test.x.split(AT_ONCE)
    with torch.no_grad():
        rounds = [
            torch.cat([score(x, generator=noise) for x in parts]).double() for _ in range(draws)
        ]
    return torch.stack(rounds).mean(0)


def measure(
    name: str, models: list[str], budget: str, splits: int
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Yield of each split the number of training rows, and the nats of each model's test rows."""
    for seed in range(splits):
        data, found = read(name, seed), {}
        for model in models:
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found[model] = nats(model, data, budget, seed, Path(folder))
                    said = f"{found[model].mean():.3f} nats"
                except AncestralError as error:
                    said = f"failed: {error}"
            print(
                f"{name}, split {seed + 1} of {splits}: {model} {said}, "
                f"{time.monotonic() - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
        yield len(data.train), found


def mean_and_error(values: list[Tensor]) -> tuple[float, float]:
    """Return a mean and its standard error: over the rows of one split, or over several splits."""
    each = values[0] if len(values) == 1 else torch.stack([split.mean() for split in values])
    return each.mean().item(), each.std().item() / math.sqrt(len(each))


def verdict(rows: int, difference: float, error: float) -> tuple[bool, str]:
    """Return whether the flow does as well as asked, and how it was asked, in words."""
    if rows >= MANY:
        return difference > 2 * error, f"{FLOW} beats {MIXTURE} by more than two standard errors"
    return difference > -error, f"{FLOW} is at most one standard error below {MIXTURE}"


def tell(name: str, rows: int, found: dict[str, list[Tensor]]) -> bool:
    """Print the table of one data set and the verdict; return whether it is as asked."""
    splits = max(map(len, found.values()))
    print(f"\n{name}: {rows:,} training rows, {splits} split{'s' if splits > 1 else ''}")
    print(f"{'model':<12}{'nats':>10}{'se':>8}{FLOW + ' - it':>14}{'paired se':>11}")
    differences = {}
    for model, values in found.items():
        mean, error = mean_and_error(values)
        line = f"{model:<12}{mean:>10.3f}{error:>8.3f}"
        if model != FLOW and len(values) == len(found.get(FLOW, [])):
            paired = [flow - own for flow, own in zip(found[FLOW], values, strict=True)]
            differences[model] = mean_and_error(paired)
            line += f"{differences[model][0]:>+14.3f}{differences[model][1]:>11.3f}"
        print(line)
    if MIXTURE not in differences:
        print(f"no verdict: {FLOW} and {MIXTURE} must both be fitted")
        return False
    good, asked = verdict(rows, *differences[MIXTURE])
    print(f"{'yes' if good else 'NO'}: {asked}", flush=True)
    return good


def main(words: list[str]) -> int:
    """Measure what is asked for; return 0 if every verdict is good."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.held_out")
    parser.add_argument("--budget", default="60s", help="of each model that is trained")
    parser.add_argument("--splits", type=int, default=10, help="of digits and wine")
    parser.add_argument("--data", default="swiss-roll-3d,digits,wine")
    parser.add_argument("--models", default=",".join(MODELS))
    asked = parser.parse_args(words)
    good = []
    for name in asked.data.split(","):
        splits = 1 if name == "swiss-roll-3d" else asked.splits
        found: dict[str, list[Tensor]] = {}
        rows = 0
        for rows, each in measure(name, asked.models.split(","), asked.budget, splits):  # noqa: B007
            for model, values in each.items():
                found.setdefault(model, []).append(values)
        good.append(tell(name, rows, found))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
