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


def test_each_split_may_have_its_share_of_each_label() -> None:
    label = torch.tensor([0] * 60 + [1] * 30 + [2] * 9)
    contents = Contents(
        fields=labelled(Vector.of_numbers("x"), "abc"),
        examples=Examples(torch.arange(99.0)[:, None].double(), {"label": label}),
    )
    data = split(contents, even=True, fractions=(1 / 9, 1 / 3))
    shares = [part["label"].bincount().tolist() for part in (data.test, data.validation)]
    assert shares == [[20, 10, 3], [7, 3, 1]]
    assert sorted(rows(data.train, data.validation, data.test)) == [(i,) for i in range(99)]
    assert data.test.x[:, 0].diff().min() < 0  # In random order, not that of the labels.
    other = split(contents, even=True, fractions=(1 / 9, 1 / 3), seed=1)
    assert rows(other.test) != rows(data.test)
    assert split(contents).fingerprint != split(contents, even=True).fingerprint


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
    assert f"{data.duplicates_removed} duplicates across the splits removed" in data.notes[0]


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


def test_the_held_out_law_is_the_law_of_the_data() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1_000, 2, generator=generator, dtype=torch.float64).mul(1e4).round().div(1e4)
    x[torch.randperm(1_000, generator=generator)[:600]] = 0
    data = split(vectors(x))
    assert data.duplicates_removed == 0
    for part in (data.train, data.validation, data.test):
        share = (part.x == 0).all(dim=1).double().mean().item()
        assert abs(share - 0.6) < 4 * (0.24 / len(part)) ** 0.5
    assert "kept, for each is a large part of the data" in data.notes[0]


@pytest.mark.parametrize("columns", [1, 3])
def test_rows_that_are_equal_by_chance_stay(columns: int) -> None:
    generator = torch.Generator().manual_seed(0)
    heights = torch.randn(2_000, columns, generator=generator, dtype=torch.float64)
    x = heights.mul(4).round().div(4)
    data = split(vectors(x))
    assert data.duplicates_removed == 0
    held_out = torch.cat((data.validation.x, data.test.x))
    # The tails too: what is rare is not left out of what judges.
    assert abs(held_out.std().item() - x.std().item()) < 5 * x.std().item() / 800**0.5
    assert (
        "rows stand in two splits; kept, for in such data rows are equal by chance"
        in (data.notes[0])
    )


def test_copies_of_rows_whose_numbers_are_fine_are_told_and_many_warn() -> None:
    generator = torch.Generator().manual_seed(0)
    fine = torch.randn(500, 1, generator=generator, dtype=torch.float64)
    x = torch.cat((fine, torch.randint(3, (500, 2), generator=generator).double()), dim=1)
    data = split(vectors(x.repeat(2, 1)))
    assert data.duplicates_removed > 100
    assert "% of the other splits: look for copies in the data" in data.notes[0]
    few = split(vectors(torch.cat((x, x[:5]))))
    assert 0 < few.duplicates_removed < 5
    assert "look for copies" not in few.notes[0]


def test_rows_of_numbers_and_states_are_judged_by_each_column() -> None:
    generator = torch.Generator().manual_seed(0)
    state = torch.randint(2, (400, 1), generator=generator).double()
    columns = (Column(name="s", type="category", states=("a", "b")), Column(name="x"))
    for number, removed in (
        (torch.randn(400, 1, generator=generator).double(), True),
        (torch.randint(9, (400, 1), generator=generator).double(), False),
    ):
        x = torch.cat((state, number), dim=1)
        x[::7, 1] = torch.nan
        for mixed in (False, True):
            field = Vector(columns=columns, mixed=mixed)
            data = split(vectors(torch.cat((x, x[:100])), fields={"x": field}))
            assert (data.duplicates_removed > 0) == (removed and not mixed)


def test_discrete_tables_count_their_duplicates_and_keep_them() -> None:
    x = torch.randint(0, 3, (200, 2)).double()
    data = split(vectors(x))
    assert data.duplicates_removed == 0
    assert len(data.train) + len(data.validation) + len(data.test) == 200
    assert "40 rows stand in two splits; kept" in data.notes[0]


def test_mixed_tables_keep_theirs_so_that_held_out_rows_are_of_one_law_with_training() -> None:
    age = torch.arange(200).double() % 60
    x = torch.stack((age, age.remainder(2)), dim=1)
    columns = (Column(name="age"), Column(name="sex", type="category", states=("f", "m")))
    data = split(vectors(x, fields={"x": Vector(columns=columns, mixed=True)}))
    assert data.duplicates_removed == 0
    assert len(data.validation) == len(data.test) == 20
    assert "rows stand in two splits; kept" in data.notes[-1]


def test_whole_numbers_far_apart_are_not_equal_by_chance() -> None:
    x = torch.randint(10**8, (100, 1), generator=torch.Generator().manual_seed(0)).double()
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
    x = torch.tensor([0, 9], dtype=torch.uint8).repeat(20)[:, None, None, None]
    with pytest.raises(DataError, match="nothing is left of the validation split; 8 dup"):
        split(Contents(fields={"x": Image.of(x)}, examples=Examples(x)))


def test_two_values_are_a_law_and_one_is_nothing_to_model() -> None:
    x = torch.tensor([[0.5], [1.5]], dtype=torch.float64).repeat(20, 1)
    assert split(vectors(x)).duplicates_removed == 0
    with pytest.raises(DataError, match="every row is the same: there is nothing to model"):
        split(vectors(0 * x))
