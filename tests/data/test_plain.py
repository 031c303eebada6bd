import tomllib

import tomli_w

from ancestral.data.columns import Column, Vector
from ancestral.data.plain import from_plain, to_plain


def test_a_mixed_field_comes_back_from_toml() -> None:
    field = Vector(
        columns=(
            Column(name="price", resolution=0.01, low=-0.5, high=12.25, form="2"),
            Column(name="age", type="integer", resolution=1.0, low=0.0, high=90.0),
            Column(name="sex", type="category", states=("f", "m"), gaps=True, gap="?"),
            Column(name="alive", type="truth", states=("no", "yes")),
            Column(name="born", type="date", resolution=86400.0, low=0.0, form="%d/%m/%Y"),
        ),
        mixed=True,
    )
    assert from_plain(tomllib.loads(tomli_w.dumps(to_plain(field)))) == field


def test_a_field_of_numbers_is_written_as_its_names() -> None:
    field = Vector.of_numbers(["a", "b"])
    assert to_plain(field) == {"type": "vector", "columns": ["a", "b"]}
    assert from_plain(to_plain(field)) == field
