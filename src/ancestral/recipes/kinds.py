"""What runs on each kind of field are asked: one table, by the field that their model models."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ancestral.data.answers import Answer, table_answer
from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Category, Field, Image, Tokens
from ancestral.data.text import held_out_text
from ancestral.errors import ConfigError, DataError, RunError
from ancestral.evaluation.surprise import LabelScores, RowScores, TokenScores
from ancestral.recipes.editing import draw_images
from ancestral.recipes.from_images import draw_from_images, takes_images
from ancestral.recipes.generating import draw_texts
from ancestral.recipes.runs import Run
from ancestral.recipes.sampling import Asked, draw_examples
from ancestral.recipes.scoring import score_labels, score_rows, score_text


def other_text(run: Run, source: str) -> Dataset:
    """Read a text by the tokenizer of a run; its documents are the test split, the run's the rest.

    Documents that stand in the training or validation split of the run are left out. Where the
    run's own data are gone, nothing is left out, there is no training split, and a note says so.

    Args:
        run: On text.
        source: A text file, a folder of text files, or a table with the run's column of texts.

    Raises:
        RunError: If the tokenizer cannot be read.
        DataError: If the text cannot be read, or nothing of it is unseen.
    """
    tokenizer, mine = run.tokenizer(), run.record.data
    notes, seen = (), ()
    try:
        own = run.data().text
        seen = (own.train, own.validation)
    except (DataError, RunError) as error:
        notes = (
            f"what the run was trained on is not left out, nor memorisation measured: {error.line}",
        )
    text, path = mine.loading.text, Path(source).expanduser()
    found = held_out_text(
        path, tokenizer, mine.fields, seen=seen, documents=text.documents, column=text.column
    )
    return replace(found, notes=(*found.notes, *notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How runs that model one kind of field are asked.

    Args:
        other: Loads other data for a run, by what the user wrote.
        score: Scores data under a run: called with the run, the data, seed and device.
        draw: Draws from a run.
    """

    other: Callable[[Run, str], Dataset] = Run.same_kind
    score: Callable[..., RowScores | LabelScores | TokenScores] = score_rows
    draw: Callable[[Run, Asked], Answer] = draw_examples


def _drawn_images(run: Run) -> Callable[[Run, Asked], Answer]:
    return draw_from_images if takes_images(run) else draw_images


WAYS: dict[type[Field], Ways] = {
    Vector: Ways(),
    Image: Ways(draw=lambda run, asked: _drawn_images(run)(run, asked)),
    Category: Ways(score=score_labels),
    Tokens: Ways(other=other_text, score=score_text, draw=draw_texts),
}


def ways_of(run: Run) -> Ways:
    """Return how a run is asked."""
    return WAYS[type(run.modelled)]


def score_run(
    run: Run,
    data: str,
    *,
    alarm: float | None = None,
    abnormal: Sequence[str] = (),
    seed: int = 0,
    device: str = "cpu",
) -> Answer:
    """Return how strange each row, image or token of DATA is to a run.

    ``alarm`` and ``abnormal`` are as of :func:`~ancestral.recipes.scoring.score_rows`.

    Raises:
        CapabilityError: If the model can say nothing of it.
        ConfigError: If an alarm is asked for of labels or tokens.
        RunError: If the data do not fit the run.
    """
    score, how = ways_of(run).score, {}
    if alarm is not None or abnormal:
        if score is not score_rows:
            raise ConfigError(
                f"alarm and abnormal are of rows and images; {run.record.model} in {run.folder} "
                "scores labels or tokens"
            )
        how = {"alarm": alarm, "abnormal": abnormal}
    found = score(run, data, seed=seed, device=device, **how)
    facts = found.facts if isinstance(found, RowScores) else {}
    return table_answer(found.columns(), {"kind": found.kind, "n": len(found), **facts})
