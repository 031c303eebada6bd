"""The one place where an evaluation asks what kind of field it has."""

from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Field, Image, Tokens
from ancestral.evaluation.bench import Bench
from ancestral.evaluation.images import Images
from ancestral.evaluation.setting import Setting
from ancestral.evaluation.text.evaluate import Texts
from ancestral.evaluation.vectors import Vectors

BENCHES: dict[type[Field], type[Bench]] = {Vector: Vectors, Image: Images, Tokens: Texts}
"""How models of a field are measured and shown, by its class."""


def bench_of(data: Dataset, setting: Setting | None = None) -> Bench:
    """Return the data ready to measure and show models of their ``x``.

    Raises:
        ValueError: If there is no way to.
    """
    if type(data.field) not in BENCHES:
        raise ValueError(f"{data.name}: models of {data.kind} are not measured")
    return BENCHES[type(data.field)](data, setting or Setting())
