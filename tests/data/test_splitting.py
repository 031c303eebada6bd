import pytest
import torch
from torch import Tensor

from ancestral.data.columns import Column, Vector
from ancestral.data.dataset import Dataset, Examples, Loading
from ancestral.data.fields import Image, labelled
from ancestral.data.splitting import Contents, assemble
from ancestral.errors import DataError


def split(contents: Contents, **loading: object) -> Dataset:
    return assemble(contents, name="set", source="set.csv", loading=Loading(**loading))


def vectors(x: Tensor, **parts: object) -> Contents:
    return Contents(**{"fields": {"x": Vector.of(x)}, "examples": Examples(x), **parts})


def rows(*parts: Examples) -> set[tuple[float, ...]]:
    return {tuple(row) for part in parts for row in part.x.flatten(1).tolist()}


def test_splits_are_disjoint_and_complete() -> None:
    x = torch.randn(100, 3, dtype=torch.float64)
    data = split(vectors(x), fractions=(0.2, 0.1))
    assert [len(data.train), len(data.validation), len(data.test)] == [70, 20, 10]
    assert rows(data.train, data.validation, data.test) == rows(Examples(x))
    assert not data.official_split


def test_the_seed_decides_the_split_and_nothing_else() -> None:
    contents = vectors(torch.randn(100, 3, dtype=torch.float64))
    first, again, other = (split(contents, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.test.x, again.test.x)
    assert first.fingerprint == again.fingerprint
    assert rows(first.test) != rows(other.test)
    assert first.fingerprint != other.fingerprint


def test_fingerprint_is_stable_across_machines() -> None:
    # Computed once; permutations of PCG64 and IEEE numbers are the same everywhere.
    data = split(
        vectors(
            torch.arange(20, dtype=torch.float64)[:, None] / 8, fields={"x": Vector.of_numbers("a")}
        )
    )
    assert data.fingerprint == ("3d9964190b162279f808db361b85c23db1e5b04599c15f3be59eca479e92c455")


def test_labels_stay_with_their_rows() -> None:
    label = torch.arange(50)
    contents = Contents(
        fields=labelled(Vector.of_numbers("x"), "a"),
        examples=Examples(label[:, None] + 0.5, {"label": label}),
    )
    data = split(contents)
    for part in (data.train, data.validation, data.test):
        assert torch.equal(part.x[:, 0], part.given["label"] + 0.5)


@pytest.mark.parametrize("width", [1, 3, 20])
def test_duplicates_are_kept_in_training_alone(width: int) -> None:
    distinct = torch.randn(300, width, dtype=torch.float64)
    data = split(vectors(torch.cat((distinct, distinct[:100]))))
    parts = [rows(part) for part in (data.train, data.validation, data.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
    assert set.union(*parts) == rows(Examples(distinct))
    kept = len(data.train) + len(data.validation) + len(data.test)
    assert data.duplicates_removed == 400 - kept > 0
    assert len(data.train) == 320, "copies inside training are its own affair"
    assert f"{data.duplicates_removed} duplicates across the splits removed" in data.notes[-1]


def test_zero_equals_minus_zero() -> None:
    x = torch.randn(40, 1, dtype=torch.float64)
    data = split(vectors(torch.cat((x, -0.0 * torch.ones(1, 1), 0.0 * torch.ones(1, 1)))), seed=0)
    twice = split(vectors(torch.cat((x, torch.ones(2, 1, dtype=torch.float64)))), seed=0)
    assert data.duplicates_removed == twice.duplicates_removed


def test_an_official_test_split_is_left_whole() -> None:
    x = torch.randint(0, 256, (60, 1, 4, 4), dtype=torch.uint8)
    test = torch.cat((x[:7], torch.randint(0, 256, (13, 1, 4, 4), dtype=torch.uint8)))
    data = split(Contents(fields={"x": Image.of(x)}, examples=Examples(x), test=Examples(test)))
    assert data.official_split
    assert len(data.test) == 20
    assert data.duplicates_removed == 7
    assert len(data.train) + len(data.validation) == 53
    assert not rows(data.train, data.validation) & rows(data.test)


def test_discrete_tables_count_their_duplicates_and_keep_them() -> None:
    x = torch.randint(0, 3, (200, 2)).double()
    data = split(vectors(x))
    assert data.duplicates_removed == 0
    assert len(data.train) + len(data.validation) + len(data.test) == 200
    assert "40 rows stand in two splits; kept" in data.notes[-1]


def test_mixed_tables_keep_theirs_so_that_held_out_rows_are_of_one_law_with_training() -> None:
    age = torch.arange(200).double() % 60
    x = torch.stack((age, age.remainder(2)), dim=1)
    columns = (Column(name="age"), Column(name="sex", type="category", states=("f", "m")))
    data = split(vectors(x, fields={"x": Vector(columns=columns, mixed=True)}))
    assert data.duplicates_removed == 0
    assert len(data.validation) == len(data.test) == 20
    assert "rows stand in two splits; kept" in data.notes[-1]


def test_whole_numbers_with_many_values_are_not_discrete() -> None:
    x = torch.arange(100).double()[:, None]
    data = split(vectors(torch.cat((x, x[:20]))))
    assert data.duplicates_removed > 0


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_rows_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=rf"^set.csv: needs at least 10 rows, got {count}$"):
        split(vectors(torch.randn(count, 2, dtype=torch.float64)))


def test_fractions_that_leave_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="nothing is left of the training split; there are too"):
        split(vectors(torch.randn(10, 2, dtype=torch.float64)), fractions=(0.15, 0.8))


def test_a_split_of_nothing_but_duplicates_is_refused() -> None:
    x = torch.tensor([[0.5], [1.5]], dtype=torch.float64).repeat(20, 1)
    with pytest.raises(DataError, match="nothing is left of the validation split; 8 dup"):
        split(vectors(x))
