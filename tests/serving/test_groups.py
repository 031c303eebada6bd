import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.models import BOS, BUILDERS, every_model
from torch import Tensor

from ancestral.capabilities import LanguageModel
from ancestral.serving.groups import MOST, RowGroup

ROOM = 60


def filled(model: LanguageModel, group: RowGroup, row: int, seed: int, length: int) -> None:
    tokens = torch.randint(BOS, (1, length), generator=torch.Generator().manual_seed(seed))
    state = model.start(1, length=length)
    model.advance(tokens, state)
    group.put(row, state)


@every_model
@settings(max_examples=5, deadline=None)
@given(
    others=st.lists(
        st.tuples(st.integers(0, 99), st.integers(1, ROOM - 1)), min_size=1, max_size=MOST
    ),
    place=st.integers(0, MOST - 1),
)
def test_bits_depend_neither_on_the_place_nor_on_the_others(
    name: str, others: list[tuple[int, int]], place: int
) -> None:
    model = BUILDERS[name]()
    lone = RowGroup(model, MOST, room=ROOM)
    filled(model, lone, 0, 7, 20)
    group = RowGroup(model, MOST, room=ROOM)
    place = min(place, len(others) - 1)
    for row, (seed, length) in enumerate(others):
        filled(model, group, row, seed, length)
    filled(model, group, place, 7, 20)
    tokens = [seed % BOS for seed, _ in others]
    tokens[place] = 5
    assert torch.equal(group.read(tokens)[place], lone.read([5])[0])


@every_model
def test_a_row_can_move_and_is_forgotten(name: str) -> None:
    model = BUILDERS[name]()
    group, other = RowGroup(model, 4, room=ROOM), RowGroup(model, 4, room=ROOM)

    def read(where: RowGroup, row: int) -> Tensor:
        return where.read([5] * 4)[row]

    filled(model, group, 1, 7, 20)
    filled(model, other, 1, 7, 20)
    expected = [read(other, 1) for _ in range(3)]
    assert torch.equal(read(group, 1), expected[0])
    other.put(3, group.take(1))
    assert torch.equal(read(other, 3), expected[1])
    group.put(0, group.take(1))
    group.clear(1)
    assert torch.equal(read(group, 0), expected[1])
    assert torch.equal(read(group, 0), expected[2])
    assert group.take(1).lengths.tolist() == [2]


def test_more_rows_than_there_are_cannot_read() -> None:
    group = RowGroup(BUILDERS["trigram"](), 2, room=ROOM)
    assert group.read([1]).shape[0] == 1
    with pytest.raises((RuntimeError, ValueError)):
        group.read([1, 2, 3])
