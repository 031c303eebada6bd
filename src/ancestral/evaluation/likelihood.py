"""Held-out likelihoods: exact, bound or estimate, in nats and in bits per dimension."""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

from ancestral.capabilities import HasBound, HasDensity, Tightens
from ancestral.data.dataset import Dataset
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.drawing import device_of, generator_of
from ancestral.evaluation.figures import Figure, Kind
from ancestral.evaluation.measures.estimate import mean_of
from ancestral.evaluation.setting import WIDE, Setting, Sizes
from ancestral.networks.units import InDataUnits

ROWS = {False: 65_536, True: 2_000}
"""Examples times draws in one call of the model, by whether examples are wide."""


def likelihoods(
    model: InDataUnits, data: Dataset, sizes: Sizes, setting: Setting, attempts: Attempts
) -> dict[str, Figure | None]:
    """Return ``log_prob``, ``elbo``, ``log_prob_iw`` and ``bits_per_dim`` of test examples.

    A figure is None where the model has no such method, or where it failed (``attempts`` then
    holds a note). Labels are never given, so that conditional models compare with others.
    """
    order = torch.randperm(len(data.test), generator=Generator().manual_seed(setting.seed))
    x = data.test.x[order[: sizes.scored]].to(device_of(model))
    figures: dict[str, Figure | None] = dict.fromkeys(("log_prob", "elbo", "log_prob_iw"))
    if model.can(HasDensity):
        noise = generator_of(model, setting.seed)
        figures["log_prob"] = attempts(
            "log_prob",
            lambda: _mean(
                x, 1, lambda chunk: model.log_prob(chunk, generator=noise), _kind_of(model)
            ),
        )
    if model.can(HasBound):
        figures["elbo"] = attempts("elbo", lambda: _elbo(model, x, sizes, setting))
    if model.can(Tightens):
        figures["log_prob_iw"] = attempts(
            "log_prob_iw", lambda: _weighted(model, x[: sizes.weighted], setting)
        )
    best = figures["log_prob"] or figures["elbo"]
    images = data.kind == "images"
    figures["bits_per_dim"] = bits_per_dim(best, data) if images and best else None
    return figures


def bits_per_dim(nats: Figure, data: Dataset) -> Figure:
    """Return the figure as bits per value of an image, smaller is better."""
    per_nat = 1 / (data.event_shape.numel() * math.log(2))
    each = None if nats.deviations is None else -nats.deviations * per_nat
    se = (nats.se or 0.0) * per_nat
    return Figure(-nats.value * per_nat, se, "bits/dim", nats.kind, deviations=each)


def definitions(model: InDataUnits, data: Dataset, sizes: Sizes, draws: int) -> dict[str, str]:
    """Return what each likelihood means, with the sizes used."""
    n = f"{sizes.scored:,} test examples"
    noise = "" if model.exact else " (a bound: noise makes the grey levels continuous)"
    found = {
        "log_prob": f"Mean log-density of {n}, in the units of the data{noise}.",
        "elbo": f"Mean lower bound on the log-density of {n}, draws for each: "
        f"{sizes.bound_draws}. Labels are summed out.",
        "log_prob_iw": f"Importance-weighted estimate of the log-density with {draws} draws for "
        f"each of {sizes.weighted:,} test examples: too low in the mean, never too high.",
    }
    if data.kind == "images":
        found["bits_per_dim"] = (
            "Minus the log-density, or else its bound, in bits for each value of an image; "
            "smaller is better."
        )
    return found


def _kind_of(model: InDataUnits) -> Kind:
    return "exact" if model.exact else "bound"


def _elbo(model: InDataUnits, x: Tensor, sizes: Sizes, setting: Setting) -> Figure:
    draws, noise = sizes.bound_draws, generator_of(model, setting.seed)
    return _mean(x, draws, lambda chunk: model.elbo(chunk, draws=draws, generator=noise), "bound")


def _weighted(model: InDataUnits, x: Tensor, setting: Setting) -> Figure:
    draws, noise = setting.draws, generator_of(model, setting.seed)
    return _mean(
        x,
        draws,
        lambda chunk: model.estimate_log_prob(chunk, draws=draws, generator=noise),
        "estimate",
    )


def _mean(x: Tensor, draws: int, score: Callable[[Tensor], Tensor], kind: Kind) -> Figure:
    """Score x in chunks that fit the memory and return the mean in nats.

    Raises:
        ArithmeticError: If the score of an example is not finite.
    """
    size = max(1, ROWS[x[0].numel() > WIDE] // draws)
    values = torch.cat([score(chunk).double().cpu() for chunk in x.split(size)])
    bad = int((~values.isfinite()).sum())
    if bad:
        raise ArithmeticError(f"{bad:,} of {len(x):,} test examples have no finite value")
    found = mean_of(values)
    return Figure(found.value, found.se, "nats", kind, deviations=found.deviations)
