import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.models import BOS, BUILDERS, EOS, V, alone, every_model, job, pump
from torch import Tensor

from ancestral.capabilities import LanguageModel
from ancestral.classic.chains.language import NGramLanguageModel
from ancestral.serving.groups import MOST, RowGroup, rows_together
from ancestral.serving.scheduler import Scheduler

ROOM = 60


def filled(model: LanguageModel, group: RowGroup, row: int, seed: int, length: int) -> None:
    tokens = torch.randint(BOS, (1, length), generator=torch.Generator().manual_seed(seed))
    state = model.start(1, length=length)
    model.advance(tokens, state)
    group.put(row, state)


@pytest.mark.bits
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
    size = rows_together(model, MOST)
    others = others[:size]
    lone = RowGroup(model, size, room=ROOM)
    filled(model, lone, 0, 7, 20)
    group = RowGroup(model, size, room=ROOM)
    place = min(place, len(others) - 1)
    for row, (seed, length) in enumerate(others):
        filled(model, group, row, seed, length)
    filled(model, group, place, 7, 20)
    tokens = [seed % BOS for seed, _ in others]
    tokens[place] = 5
    assert torch.equal(group.read(tokens)[place], lone.read([5])[0])


@pytest.mark.bits
@every_model
def test_a_row_can_move_and_is_forgotten(name: str) -> None:
    model = BUILDERS[name]()
    size = rows_together(model, 4)
    if size == 1:
        pytest.skip("no row moves in groups of one, and products of this processor allow no other")
    group, other = RowGroup(model, size, room=ROOM), RowGroup(model, size, room=ROOM)

    def read(where: RowGroup, row: int) -> Tensor:
        return where.read([5] * size)[row]

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


class Uneven(NGramLanguageModel):
    """As products are on some processors: rows differ by their place but in groups of one size."""

    even = 1

    def head(self, features: Tensor) -> Tensor:
        logits = super().head(features)
        places = torch.arange(len(logits), dtype=logits.dtype)[:, None]
        return logits if len(logits) == self.even else logits * (1 + 1e-6 * places)


@pytest.mark.bits
@pytest.mark.parametrize(
    ("even", "wanted", "got"), [(1, 4, 1), (MOST, 4, MOST), (4, 4, 4), (4, MOST, 1), (4, 1, 1)]
)
def test_groups_are_as_large_as_keeps_rows_apart(even: int, wanted: int, got: int) -> None:
    model = Uneven(V, order=2).fit(torch.tensor([[BOS, 0, 1, 0, 1, EOS]]))
    model.even = even
    assert rows_together(model, wanted) == got
    lone, other = alone(model, job(3, 9, 0), wanted), alone(model, job(4, 9, 1), wanted)
    scheduler, heard = Scheduler(model, slots=wanted), ([], [])
    for asked, ears in zip((job(3, 9, 0), job(4, 9, 1)), heard, strict=True):
        scheduler.submit(asked, ears.append)
    pump(scheduler)
    assert heard == (lone, other)


def test_more_rows_than_there_are_cannot_read() -> None:
    group = RowGroup(BUILDERS["trigram"](), 2, room=ROOM)
    assert group.read([1]).shape[0] == 1
    with pytest.raises((RuntimeError, ValueError)):
        group.read([1, 2, 3])
