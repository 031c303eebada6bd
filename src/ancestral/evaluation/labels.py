"""Held-out labels under p(label | x): their probability, accuracy, calibration and confusion."""

import torch
from torch import Tensor

from ancestral.capabilities import Classifies
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import LABEL
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.drawing import device_of, generator_of
from ancestral.evaluation.figures import Figure, Kind
from ancestral.evaluation.measures.calibration import BINS, calibration_error
from ancestral.evaluation.measures.estimate import mean_of, share_of
from ancestral.evaluation.result import Evaluation
from ancestral.networks.units import InDataUnits

CHUNK = 1_000
"""Examples in one call of the model."""

PER_BIN = 20
"""Fewest examples in a bin of the calibration error."""

NAMES = ("label_log_prob", "accuracy", "calibration_error")


def evaluate_labels(
    model: InDataUnits, data: Dataset, attempts: Attempts, *, seed: int = 0
) -> Evaluation:
    """Judge p(label | x) by the labels of the test split: three figures, and the confusion.

    There are none where the model gives no labels or the data have none.

    Args:
        model: In the units of ``data``.
        data: With labels, numbered as the model numbers them.
        attempts: Takes a note of what fails.
        seed: Of the noise of a transform that adds some.
    """
    if not model.can(Classifies) or len(data.labels) < 2:
        return Evaluation()
    logits = attempts("labels", lambda: label_log_probs(model, data.test, seed=seed))
    figures: dict[str, Figure | None] = dict.fromkeys(NAMES)
    if logits is None:
        return Evaluation(figures=figures)
    label = data.test[LABEL]
    # Where noise makes grey levels continuous, it is p(label | x + noise) of one draw.
    kind: Kind = "exact" if model.exact else "estimate"
    figures["label_log_prob"] = attempts("label_log_prob", lambda: _log_prob(logits, label, kind))
    log_p, said = logits.max(dim=1)
    figures["accuracy"] = Figure.of(share_of(said == label), "share", kind)
    figures["calibration_error"] = attempts(
        "calibration_error", lambda: _calibration(log_p.exp(), said == label, seed)
    )
    k = len(data.labels)
    confusion = torch.bincount(label * k + said, minlength=k * k).reshape(k, k)
    return Evaluation(figures=figures, definitions=_definitions(data), confusion=confusion)


@torch.no_grad()
def label_log_probs(model: InDataUnits, examples: Examples, *, seed: int = 0) -> Tensor:
    """Return log p(label | x) of every label, nats, float64 [N, K], on the CPU."""
    device, noise = device_of(model), generator_of(model, seed)
    parts = examples.x.split(CHUNK)
    found = [model.posterior(x.to(device), generator=noise).logits for x in parts]
    return torch.cat([part.double().cpu() for part in found])


def _log_prob(logits: Tensor, label: Tensor, kind: Kind) -> Figure:
    values = logits.gather(1, label[:, None])[:, 0]
    bad = int((~values.isfinite()).sum())
    if bad:
        raise ArithmeticError(f"{bad:,} of {len(values):,} test labels have probability 0")
    return Figure.of(mean_of(values), "nats", kind)


def _calibration(confidence: Tensor, right: Tensor, seed: int) -> Figure:
    found, floor = calibration_error(confidence, right, bins=_bins(len(right)), seed=seed)
    return Figure.of(found, "share", floor=floor)


def _bins(examples: int) -> int:
    return max(1, min(BINS, examples // PER_BIN))


def _definitions(data: Dataset) -> dict[str, str]:
    n = f"{len(data.test):,} test examples"
    most = int(data.train[LABEL].bincount().argmax())
    always = (data.test[LABEL] == most).double().mean().item()
    return {
        "label_log_prob": f"Mean log p(label | x) of {n}.",
        "accuracy": f"Share of {n} whose likeliest label is their own; always saying "
        f"{data.labels[most]!r}, the most frequent one in training, is right for {always:.1%}.",
        "calibration_error": f"{n} in {_bins(len(data.test))} bins of equally many, by the "
        "probability of the likeliest label.",
    }
