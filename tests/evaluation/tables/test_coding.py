import math

import torch

from ancestral.data.columns import Column
from ancestral.evaluation.tables.coding import FEW, PARTS, Coding


def test_numbers_are_cut_at_tenths_of_the_training_rows() -> None:
    train = torch.randn(5000, 1, generator=torch.Generator().manual_seed(0)).double()
    coding = Coding([Column(name="a")], train)
    counts = coding(train)[:, 0].bincount(minlength=coding.sizes[0])
    assert coding.sizes == (PARTS + 1,)
    assert counts[0] == 0
    assert (counts[1:] - 500).abs().max() <= 1
    assert coding.names(0) is None


def test_an_atom_is_a_cell_of_its_own() -> None:
    rest = torch.linspace(1, 2, 400, dtype=torch.float64)
    train = torch.cat((torch.zeros(600, dtype=torch.float64), rest))[:, None]
    coding = Coding([Column(name="a")], train)
    counts = coding(train)[:, 0].bincount()
    assert counts[1] == 600
    assert coding(torch.tensor([[-1.0], [9.0]]))[:, 0].tolist() == [1, coding.sizes[0] - 1]


def test_missing_is_a_value_and_new_ones_are_others() -> None:
    word = Column(name="w", type="category", states=("x", "y", "z"), gaps=True, gap="?")
    few = Column(name="n", type="integer", form="0")
    train = torch.tensor([[1.0, 5.0], [1.0, 7.0], [0.0, 5.0], [math.nan, math.nan]]).double()
    coding = Coding([word, few], train)
    assert coding.names(0) == ["missing", "y", "x", "other"]
    assert coding.names(1) == ["missing", "5", "7", "other"]
    new = torch.tensor([[2.0, 6.0], [math.nan, 7.0]]).double()
    assert coding(new).tolist() == [[3, 3], [0, 2]]


def test_many_states_share_a_cell_but_the_most_frequent() -> None:
    states = tuple(f"s{i}" for i in range(100))
    train = torch.arange(100).repeat_interleave(torch.arange(1, 101))[:, None].double()
    coding = Coding([Column(name="c", type="category", states=states)], train)
    assert coding.sizes == (FEW + 2,)
    assert coding.names(0)[1:3] == ["s99", "s98"]  # type: ignore[index]
    assert coding(torch.tensor([[99.0], [80.0], [79.0]]))[:, 0].tolist() == [1, 20, 21]


def test_a_column_that_is_missing_throughout() -> None:
    train = torch.full((5, 2), math.nan, dtype=torch.float64)
    columns = [Column(name="a", gaps=True), Column(name="b", type="category", states=("x",))]
    coding = Coding(columns, train)
    assert coding(train).tolist() == [[0, 0]] * 5
    assert coding(torch.zeros(1, 2)).tolist() == [[1, 1]]
