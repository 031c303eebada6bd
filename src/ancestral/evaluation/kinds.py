"""The one place where an evaluation asks what kind of field it has."""

from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import Image
from ancestral.evaluation.bench import Bench
from ancestral.evaluation.images import Images
from ancestral.evaluation.masks import Masks
from ancestral.evaluation.setting import Setting
from ancestral.evaluation.tables.evaluate import Tables
from ancestral.evaluation.text.evaluate import Texts
from ancestral.evaluation.translations import IMAGE, Translations
from ancestral.evaluation.vectors import Vectors

BENCHES: dict[Kind, type[Bench]] = {
    "vectors": Vectors,
    "tables": Vectors,
    "mixed": Tables,
    "images": Images,
    "text": Texts,
}
"""How models of a field are measured and shown, by its kind."""


def bench_of(data: Dataset, setting: Setting | None = None) -> Bench:
    """Return the data ready to measure and show models of their ``x``.

    Raises:
        ValueError: If there is no way to.
        ConfigError: If the setting has a target that the data do not have.
    """
    if data.kind not in BENCHES:
        raise ValueError(f"{data.name}: models of {data.kind} are not measured")
    bench, setting = BENCHES[data.kind], setting or Setting()
    if isinstance(data.field, Image) and data.field.values:
        bench = Masks
    elif isinstance(data.fields.get(IMAGE), Image):
        bench = Translations
    return bench(data, setting)
