"""The one place where an evaluation asks what kind of field it has."""

from ancestral.data.dataset import Dataset
from ancestral.data.fields import Field, Image, Tokens, Vector
from ancestral.evaluation.field_evaluation import FieldEvaluation
from ancestral.evaluation.images import Images
from ancestral.evaluation.text.evaluate import Texts
from ancestral.evaluation.vectors import Vectors

EVALUATIONS: dict[type[Field], FieldEvaluation] = {
    Vector: Vectors(),
    Image: Images(),
    Tokens: Texts(),
}
"""How a field is measured and shown, by its class."""


def evaluation_of(data: Dataset) -> FieldEvaluation:
    """Return how the data's ``x`` is measured and shown.

    Raises:
        ValueError: If there is no way to.
    """
    if type(data.field) not in EVALUATIONS:
        raise ValueError(f"{data.name}: models of {data.kind} are not measured")
    return EVALUATIONS[type(data.field)]
