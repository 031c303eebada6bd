"""How surprised a run is: by each row of a table, each image, or each token of a text."""

from pathlib import Path

from torch import Tensor

from ancestral.capabilities import Classifies, HasBound, HasDensity, LanguageModel
from ancestral.data.columns import Vector
from ancestral.data.fields import Field
from ancestral.data.text import tokenise_documents
from ancestral.errors import CapabilityError, DataError
from ancestral.evaluation.surprise import (
    LabelScores,
    RowScores,
    TokenScores,
    label_surprise,
    row_surprise,
    token_surprise,
)
from ancestral.recipes.runs import Run
from ancestral.training.order import seed_of


def score_rows(
    run: Run | str | Path, data: str, *, seed: int = 0, device: str = "cpu"
) -> RowScores:
    """Return the surprise of every example of DATA, in the order of the file.

    Args:
        run: The run, or its folder.
        data: A name, a file or a folder.
        seed: Of the noise of a bound.
        device: Where to compute.

    Raises:
        CapabilityError: If the model has neither density nor bound.
        RunError: If the data do not fit the run.
        DataError: If a cell of a mixed table is empty in a column without gaps.
    """
    run = Run.open(run)
    model = run.model(device=device)
    if not (model.can(HasDensity) or model.can(HasBound)):
        raise CapabilityError(f"{run.record.model} has no density and no bound to score with")
    examples = run.examples(data)[0]
    _refuse_gaps(run.record.data.field, examples.x, data)
    return row_surprise(model, examples, seed=seed_of(seed, "score"))


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
