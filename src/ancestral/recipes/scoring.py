"""How surprised a run is: by each row of a table, each image, or each token of a text."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ancestral.capabilities import Classifies, HasBound, HasDensity, LanguageModel
from ancestral.data.columns import Vector
from ancestral.data.dataset import Examples
from ancestral.data.fields import LABEL, Field
from ancestral.data.text import tokenise_documents
from ancestral.errors import CapabilityError, ConfigError, DataError, RunError
from ancestral.evaluation.anomalies import Detector, detection, encodes_alone
from ancestral.evaluation.surprise import (
    LabelScores,
    RowScores,
    TokenScores,
    label_surprise,
    token_surprise,
)
from ancestral.recipes.runs import Run
from ancestral.training.order import seed_of


def score_rows(
    run: Run | str | Path,
    data: str,
    *,
    alarm: float | None = None,
    abnormal: Sequence[str] = (),
    seed: int = 0,
    device: str = "cpu",
) -> RowScores:
    """Return how strange every example of DATA is, in the order of the file.

    The scores are those of :mod:`ancestral.evaluation.anomalies` that the model can give. What is
    normal is told by the run's own data: codes of the training split, scores of the validation
    split. Where these have gone, scores that need them are left out.

    Args:
        run: The run, or its folder.
        data: A name, a file or a folder.
        alarm: Rate of false alarms, between 0 and 1: the last score is held against the number
            that so many of the normal examples exceed.
        abnormal: Labels of DATA whose examples are abnormal: how well each score tells them from
            the others is said in ``facts``.
        seed: Of the noise of a bound.
        device: Where to compute.

    Raises:
        CapabilityError: If the model has neither density nor bound nor encoder.
        ConfigError: If the rate is out of its range, or there are no such labels.
        RunError: If the data do not fit the run.
        DataError: If a cell of a mixed table is empty in a column without gaps.
    """
    run = Run.open(run)
    model = run.model(device=device)
    if not (model.can(HasDensity) or model.can(HasBound) or encodes_alone(model)):
        raise CapabilityError(
            f"{run.record.model} has no density, no bound and no code of its data to score with"
        )
    examples, labels = run.examples(data)
    _refuse_gaps(run.record.data.field, examples.x, data)
    noise = seed_of(seed, "score")
    detector = Detector(model=model, seed=noise)
    if alarm is not None or encodes_alone(model):
        with suppress(*(() if alarm is not None else (RunError, DataError))):
            own = run.data()
            detector = Detector.of(model, own.train, own.validation, seed=noise)
    found, facts = detector.score(examples), {}
    if alarm is not None:
        threshold = detector.threshold(alarm)
        facts = {"score": detector.usual, "alarm": alarm, "threshold": threshold}
        found = replace(found, alarm=found.scores[detector.usual] > threshold)
    if abnormal:
        facts["detection"] = detection(found.scores, _among(abnormal, examples, labels, data))
    return replace(found, facts=facts)


def _among(names: Sequence[str], examples: Examples, labels: Sequence[str], data: str) -> Tensor:
    """Return which examples have one of these labels, bool [N]."""
    for name in names:
        if name not in labels:
            have = f"one of {', '.join(labels)}" if labels else f"left out: {data} has no labels"
            raise ConfigError(f"abnormal must be {have}, got {name!r}")
    wanted = torch.tensor([label in names for label in labels])[examples[LABEL]]
    if min(int(wanted.sum()), int((~wanted).sum())) < 2:
        raise ConfigError(
            f"abnormal must leave at least 2 examples of either kind, {', '.join(names)} has "
            f"{int(wanted.sum()):,} of {len(wanted):,}"
        )
    return wanted


def _refuse_gaps(field: Field, x: Tensor, data: str) -> None:
    """Refuse rows of a mixed table with a gap where the run knows none: it has no probability."""
    if not isinstance(field, Vector) or not field.mixed:
        return
    for column, cells in zip(field.columns, x.T, strict=True):
        if not column.gaps and bool((gone := cells.isnan()).any()):
            row = int(gone.nonzero()[0]) + 1
            raise DataError(
                f"{data}: row {row}, column {column.name!r}: the cell is empty, and the run knows "
                "no gaps in this column; impute fills them"
            )


def score_labels(
    run: Run | str | Path, data: str, *, seed: int = 0, device: str = "cpu"
) -> LabelScores:
    """Return the likeliest label of every example of DATA; arguments as of :func:`score_rows`.

    A table need not have the column of the label.

    Raises:
        CapabilityError: If the model gives no labels.
        RunError: If the data do not fit the run.
    """
    run = Run.open(run)
    model, names = run.model(device=device), run.record.data.labels
    if not model.can(Classifies) or not names:
        raise CapabilityError(f"{run.record.model} in {run.folder} gives no labels")
    examples, own = run.examples(data)
    return label_surprise(model, examples, names=names, own=own, seed=seed_of(seed, "score"))


def score_text(
    run: Run | str | Path,
    data: str,
    *,
    seed: int = 0,  # noqa: ARG001 - nothing is random
    device: str = "cpu",
) -> TokenScores:
    """Return the surprise of every token of a text; arguments as of :func:`score_rows`.

    Raises:
        RunError: If the run is not of text.
        DataError: If the text cannot be read.
    """
    run = Run.open(run)
    tokenizer, model = run.tokenizer(), run.model(device=device).network
    if not isinstance(model, LanguageModel):
        raise CapabilityError(f"{run.record.model} does not predict tokens")
    text = run.record.data.loading.text
    documents = tokenise_documents(
        Path(data), tokenizer, documents=text.documents, column=text.column
    )
    return token_surprise(model, tokenizer, documents, device=device)
