"""Held-out likelihoods: exact, bound or estimate, in nats and in bits per dimension."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Given, HasBound, HasDensity, Tightens
from ancestral.data.dataset import Dataset, Examples
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.drawing import device_of, generator_of, placed
from ancestral.evaluation.figures import Figure, Kind, given_words
from ancestral.evaluation.measures.estimate import mean_of
from ancestral.evaluation.setting import LEAST, WIDE, Setting, Sizes
from ancestral.networks.units import InDataUnits

ROWS = {False: 65_536, True: 2_000}
"""Examples times draws in one call of the model, by whether examples are wide."""

Score: TypeAlias = Callable[..., Tensor]


def likelihoods(
    model: InDataUnits, data: Dataset, sizes: Sizes, setting: Setting, attempts: Attempts
) -> dict[str, Figure | None]:
    """Return ``log_prob``, ``elbo`` and ``log_prob_iw`` of test examples.

    A figure is None where the model has no such method, or where it failed (``attempts`` then
    holds a note). Only what the model cannot do without is given: not labels, so that conditional
    models compare with others.
    """
    order = torch.randperm(len(data.test), generator=Generator().manual_seed(setting.seed))
    held_out, bound, many = data.test[order[: sizes.scored]], sizes.bound_draws, setting.draws

    def log_prob(x: Tensor, given: Given | None, noise: Generator) -> Tensor:
        return model.log_prob(x, given=given, generator=noise)

    def elbo(x: Tensor, given: Given | None, noise: Generator) -> Tensor:
        return model.elbo(x, given=given, draws=bound, generator=noise)

    def weighted(x: Tensor, given: Given | None, noise: Generator) -> Tensor:
        return model.estimate_log_prob(x, given=given, draws=many, generator=noise)

    steps: dict[str, tuple[type, Examples, int, Score, Kind]] = {
        "log_prob": (HasDensity, held_out, 1, log_prob, "exact" if model.exact else "bound"),
        "elbo": (HasBound, held_out, bound, elbo, "bound"),
        "log_prob_iw": (Tightens, held_out[: sizes.weighted], many, weighted, "estimate"),
    }

    def mean(name: str) -> Figure:
        _, examples, draws, score, kind = steps[name]
        size = max(1, ROWS[data.features > WIDE] // draws)
        parts = [examples[i : i + size] for i in range(0, len(examples), size)]
        values = _scores(model, parts, partial(score, noise=generator_of(model, setting.seed)))
        if (said := made_by_few(values)) is not None:
            attempts.notes.append(f"{name}: {said}")
        return Figure.of(mean_of(values), f"nats{given_words(model.needs)}", kind)

    return {
        name: attempts(name, partial(mean, name)) if model.can(step[0]) else None
        for name, step in steps.items()
    }


def bits_per_dim(nats: Figure, data: Dataset) -> Figure:
    """Return the figure as bits per value of an image, smaller is better."""
    per_nat = 1 / (data.features * math.log(2))
    each = None if nats.deviations is None else -nats.deviations * per_nat
    return replace(
        nats,
        value=-nats.value * per_nat,
        se=(nats.se or 0.0) * per_nat,
        unit=nats.unit.replace("nats", "bits/dim"),
        deviations=each,
    )


def definitions(model: InDataUnits, sizes: Sizes, draws: int) -> dict[str, str]:
    """Return what each likelihood means, with the sizes used."""
    n = f"{sizes.scored:,} test examples{given_words(model.needs)}"
    noise = "" if model.exact else " (a bound: noise spreads values over their steps)"
    return {
        "log_prob": f"{n}, in the units of the data{noise}.",
        "elbo": f"{n}, draws for each: {sizes.bound_draws}. Labels are summed out.",
        "log_prob_iw": f"{sizes.weighted:,} test examples, draws for each: {draws}.",
    }


def made_by_few(scores: Tensor) -> str | None:
    """Say that a mean is made by a few of the scores [N], None if it is not.

    It is where a hundredth of them, or one, moves it by more than the deviation of the others.

    Example:
        >>> made_by_few(torch.tensor([-1.0, 1.0] * 30 + [-1e6]))
        '1 of 61 test examples moves it from 0 to -1.639e+04 nats: it is the figure of the few'
    """
    n = len(scores)
    if n < LEAST:
        return f"the mean of {n} test examples alone"
    few = max(1, n // 100)
    far = (scores - scores.median()).abs().argsort(descending=True, stable=True)
    mean, rest = float(scores.mean()), scores[far[few:]]
    if abs(mean - float(rest.mean())) <= float(rest.std()):
        return None
    return (
        f"{few:,} of {n:,} test examples move{'s' * (few == 1)} it from {float(rest.mean()):.4g} "
        f"to {mean:.4g} nats: it is the figure of the few"
    )


def _scores(model: InDataUnits, parts: list[Examples], score: Score) -> Tensor:
    """Score examples part by part, so that they fit the memory; nats, [N].

    Raises:
        ArithmeticError: If the score of an example is not finite.
    """
    device, scores = device_of(model), []
    for part in parts:
        given = placed(model.required(part.given), device)
        scores.append(score(part.x.to(device), given).double().cpu())
    values = torch.cat(scores)
    bad = int((~values.isfinite()).sum())
    if bad:
        raise ArithmeticError(f"{bad:,} of {len(values):,} test examples have no finite value")
    return values
