"""Held-out likelihoods: exact, bound or estimate, in nats and in bits per dimension."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Given, HasBound, HasDensity
from ancestral.data.dataset import Dataset, Examples
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.drawing import device_of, generator_of
from ancestral.evaluation.figures import Figure, Kind, given_words
from ancestral.evaluation.measures.estimate import mean_of
from ancestral.evaluation.setting import WIDE, Setting, Sizes
from ancestral.networks.units import InDataUnits

ROWS = {False: 65_536, True: 2_000}
"""Examples times draws in one call of the model, by whether examples are wide."""

Score = Callable[[Tensor, Given | None], Tensor]


def likelihoods(
    model: InDataUnits, data: Dataset, sizes: Sizes, setting: Setting, attempts: Attempts
) -> dict[str, Figure | None]:
    """Return ``log_prob``, ``elbo`` and ``log_prob_iw`` of test examples.

    A figure is None where the model has no such method, or where it failed (``attempts`` then
    holds a note). Only what the model cannot do without is given: not labels, so that conditional
    models compare with others.
    """
    order = torch.randperm(len(data.test), generator=Generator().manual_seed(setting.seed))
    held_out = data.test[order[: sizes.scored]]
    wide = data.features > WIDE

    def mean(examples: Examples, draws: int, score: Score, kind: Kind) -> Figure:
        size = max(1, ROWS[wide] // draws)
        parts = [examples[i : i + size] for i in range(0, len(examples), size)]
        return _mean(model, parts, score, kind)

    def log_prob() -> Figure:
        noise = generator_of(model, setting.seed)
        kind = "exact" if model.exact else "bound"
        return mean(
            held_out, 1, lambda x, given: model.log_prob(x, given=given, generator=noise), kind
        )

    def elbo() -> Figure:
        noise, n = generator_of(model, setting.seed), sizes.bound_draws
        return mean(
            held_out,
            n,
            lambda x, given: model.elbo(x, given=given, draws=n, generator=noise),
            "bound",
        )

    def weighted() -> Figure:
        noise, n = generator_of(model, setting.seed), setting.draws
        return mean(
            held_out[: sizes.weighted],
            n,
            lambda x, given: model.estimate_log_prob(x, given=given, draws=n, generator=noise),
            "estimate",
        )

    steps = {"log_prob": log_prob} if model.can(HasDensity) else {}
    steps |= {"elbo": elbo, "log_prob_iw": weighted} if model.can(HasBound) else {}
    names = ("log_prob", "elbo", "log_prob_iw")
    return {name: attempts(name, steps[name]) if name in steps else None for name in names}


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
    noise = "" if model.exact else " (a bound: noise makes the grey levels continuous)"
    return {
        "log_prob": f"Mean log-density of {n}, in the units of the data{noise}.",
        "elbo": f"Mean lower bound on the log-density of {n}, draws for each: "
        f"{sizes.bound_draws}. Labels are summed out.",
        "log_prob_iw": f"Importance-weighted estimate of the log-density with {draws} draws for "
        f"each of {sizes.weighted:,} test examples: too low in the mean, never too high.",
    }


def _mean(model: InDataUnits, parts: list[Examples], score: Score, kind: Kind) -> Figure:
    """Score examples part by part, so that they fit the memory, and return the mean in nats.

    Raises:
        ArithmeticError: If the score of an example is not finite.
    """
    device = device_of(model)
    scores = []
    for part in parts:
        given = {
            name: value.to(device) for name, value in (model.required(part.given) or {}).items()
        }
        scores.append(score(part.x.to(device), given or None).double().cpu())
    values = torch.cat(scores)
    bad = int((~values.isfinite()).sum())
    if bad:
        raise ArithmeticError(f"{bad:,} of {len(values):,} test examples have no finite value")
    found = mean_of(values)
    unit = f"nats{given_words(model.needs)}"
    return Figure(found.value, found.se, unit, kind, deviations=found.deviations)
