"""What runs on each kind of field are asked: one table, by the field that their model models."""

from collections.abc import Callable
from dataclasses import dataclass

from ancestral.data.dataset import Dataset
from ancestral.data.fields import Category, Field, Image, Tokens, Vector
from ancestral.recipes.answers import Answer
from ancestral.recipes.generating import draw_texts
from ancestral.recipes.other_text import other_text
from ancestral.recipes.runs import Run
from ancestral.recipes.sampling import Asked, draw_examples
from ancestral.recipes.scoring import labels_scored, rows_scored, tokens_scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How runs that model one kind of field are asked.

    Args:
        other: Loads other data for a run, by what the user wrote.
        score: Scores data under a run: called with the run, the data, seed and device.
        draw: Draws from a run.
    """

    other: Callable[[Run, str], Dataset] = Run.same_kind
    score: Callable[..., Answer] = rows_scored
    draw: Callable[[Run, Asked], Answer] = draw_examples


WAYS: dict[type[Field], Ways] = {
    Vector: Ways(),
    Image: Ways(),
    Category: Ways(score=labels_scored),
    Tokens: Ways(other=other_text, score=tokens_scored, draw=draw_texts),
}


def ways_of(run: Run) -> Ways:
    """Return how a run is asked."""
    return WAYS[type(run.modelled)]
