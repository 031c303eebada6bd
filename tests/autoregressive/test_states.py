"""The laws of :class:`LanguageModel`, held against every model of the folder."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor, nn

from ancestral.autoregressive import GPT, GPTParts, GPTShape, RecurrentLM
from ancestral.capabilities import (
    HasDensity,
    HasGraph,
    LanguageModel,
    Samples,
    SpecialTokens,
    Trains,
)

V, T = 23, 16
SPECIAL = SpecialTokens.of(V)
SMALL = GPTShape(window=T, width=16, layers=2, heads=4)
GROUPED = GPTShape(window=T, width=16, layers=2, heads=4, key_value_heads=2, head_width=6)
MODERN = GPTParts(positions="rotary", norm="rms", feed_forward="swiglu", tied=True, qk_norm=True)
BUILDERS: dict[str, Callable[[], GPT | RecurrentLM]] = {
    "gpt": lambda: GPT(V, shape=SMALL),
    "gpt-modern": lambda: GPT(V, shape=GROUPED, parts=MODERN),
    "gpt-additive": lambda: GPT(V, shape=GROUPED, parts=GPTParts(score="additive")),
    "elman": lambda: RecurrentLM(V, width=12),
    "gru": lambda: RecurrentLM(V, cell="gru", width=12, layers=2),
    "lstm": lambda: RecurrentLM(V, cell="lstm", width=12, layers=2),
}
every_model = pytest.mark.parametrize("name", BUILDERS)
seeds = st.integers(0, 2**31)


def model_of(name: str, dtype: torch.dtype = torch.float64) -> GPT | RecurrentLM:
    torch.manual_seed(1)
    model = BUILDERS[name]()
    for parameter in model.parameters():  # Far from the small initial weights: all must matter.
        nn.init.normal_(parameter, std=0.4)
    return model.to(dtype).eval().requires_grad_(False)


def draw(rows: int, length: int, seed: int) -> Tensor:
    """Ordinary tokens after a BOS."""
    generator = Generator().manual_seed(seed)
    tokens = torch.randint(SPECIAL.bos, (rows, length), generator=generator)
    tokens[:, 0] = SPECIAL.bos
    return tokens


def near(a: Tensor, b: Tensor, dtype: torch.dtype = torch.float64) -> None:
    tolerance = 1e-10 if dtype == torch.float64 else 1e-4
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@every_model
def test_a_model_is_what_it_says(name: str) -> None:
    model = model_of(name)
    for protocol in (LanguageModel, HasDensity, HasGraph, Trains):
        assert isinstance(model, protocol)
    assert isinstance(model, Samples)
    tokens = draw(2, 5, 0)
    features = model.features(tokens)
    near(model(tokens), model.head(features))
    assert model.head(features).shape == (2, 5, V)
    graph = model.graph["p"]
    assert graph.names == ("w1", "w2", "w3", "w4", "w5")
    assert graph.parents("w4") == ("w1", "w2", "w3")


@every_model
@settings(max_examples=25, deadline=None)
@given(seed=seeds, begins=st.sets(st.integers(1, 11), min_size=1, max_size=4))
def test_packed_documents_are_read_as_if_each_were_alone(
    name: str, seed: int, begins: set[int]
) -> None:
    model, tokens = model_of(name), draw(3, 12, seed)
    places = sorted(begins)
    tokens[1, places] = SPECIAL.bos
    packed = model.features(tokens)
    for start, end in zip([0, *places], [*places, 12], strict=True):
        near(packed[1:2, start:end], model.features(tokens[1:2, start:end]))
    near(packed[::2], model.features(tokens[::2]))


@pytest.mark.bits
@every_model
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=15, deadline=None)
@given(seed=seeds, place=st.integers(1, 11), packed=st.booleans())
def test_no_token_sees_what_comes_after_it(
    name: str, dtype: torch.dtype, seed: int, place: int, packed: bool
) -> None:
    model, tokens = model_of(name, dtype), draw(3, 12, seed)
    if packed:
        tokens[2, 4] = SPECIAL.bos
    changed = tokens.clone()
    changed[0, place] = (tokens[0, place] + 1) % SPECIAL.bos
    before, after = model.features(tokens), model.features(changed)
    assert torch.equal(before[0, :place], after[0, :place])
    assert torch.equal(before[1:], after[1:])
    assert not torch.equal(before[0, place:], after[0, place:])


@every_model
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@settings(max_examples=20, deadline=None)
@given(seed=seeds, cuts=st.sets(st.integers(1, T - 1), max_size=5))
def test_reading_in_any_pieces_is_reading_at_once(
    name: str, dtype: torch.dtype, seed: int, cuts: set[int]
) -> None:
    model, tokens = model_of(name, dtype), draw(2, T, seed)
    state, edges = model.start(2, length=T), [0, *sorted(cuts), T]
    parts = [model.advance(tokens[:, a:b], state) for a, b in pairwise(edges)]
    near(torch.cat(parts, 1), model.features(tokens), dtype)
    assert state.lengths.tolist() == [T, T]


@every_model
@settings(max_examples=25, deadline=None)
@given(seed=seeds, rounds=st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=4))
def test_rows_of_different_lengths_are_read_as_if_each_were_alone(
    name: str, seed: int, rounds: list[tuple[int, int, int]]
) -> None:
    model, tokens = model_of(name), draw(3, T, seed)
    state, features = model.start(3, length=T), model.features(tokens)
    for counts in rounds:
        read = state.lengths.clone()
        piece = torch.full((3, 4), SPECIAL.pad)
        for row, count in enumerate(counts):
            piece[row, :count] = tokens[row, read[row] : read[row] + count]
        found = model.advance(piece, state, counts=torch.tensor(counts))
        assert state.lengths.tolist() == (read + torch.tensor(counts)).tolist()
        assert found.isfinite().all()
        for row, count in enumerate(counts):
            near(found[row, :count], features[row, read[row] : read[row] + count])


@every_model
@settings(max_examples=20, deadline=None)
@given(seed=seeds, rows=st.lists(st.integers(0, 2), min_size=1, max_size=5))
def test_selected_rows_go_on_by_themselves(name: str, seed: int, rows: list[int]) -> None:
    model, tokens = model_of(name), draw(3, T, seed)
    state, counts = model.start(3, length=T), torch.tensor([5, 2, 4])
    model.advance(tokens[:, :5], state, counts=counts)
    index = torch.tensor(rows)
    chosen = state.select(index)
    assert chosen.lengths.tolist() == counts[index].tolist()
    here = torch.stack([tokens[r, n : n + 3] for r, n in zip(rows, counts[index], strict=True)])
    found = model.advance(here, chosen)
    for i, row in enumerate(rows):
        start = int(counts[row])
        near(found[i], model.features(tokens)[row, start : start + 3])
    assert state.lengths.tolist() == counts.tolist()  # The rows are copies.
    near(
        model.advance(tokens[:1, 5:8], state.select(torch.tensor([0]))),
        model.features(tokens)[:1, 5:8],
    )


@every_model
def test_what_is_read_into_the_first_rows_is_read_into_the_state(name: str) -> None:
    model, tokens = model_of(name), draw(3, T, 0)
    state = model.start(3, length=T)
    model.advance(tokens[:, :4], state)
    model.advance(tokens[:2, 4:7], state.first(2))
    assert state.lengths.tolist() == [7, 7, 4]
    found = model.advance(torch.stack([tokens[0, 7:9], tokens[1, 7:9], tokens[2, 4:6]]), state)
    features = model.features(tokens)
    near(found, torch.stack([features[0, 7:9], features[1, 7:9], features[2, 4:6]]))


@every_model
def test_put_replaces_rows_and_leaves_the_others(name: str) -> None:
    model, tokens = model_of(name), draw(4, T, 0)
    features = model.features(tokens)
    state, other = model.start(3, length=T), model.start(2, length=9)
    model.advance(tokens[:3, :6], state)
    model.advance(tokens[[3, 0], :3], other, counts=torch.tensor([3, 2]))
    state.put(torch.tensor([2, 0]), other)
    assert state.lengths.tolist() == [2, 6, 3]
    found = model.advance(torch.stack([tokens[0, 2:4], tokens[1, 6:8], tokens[3, 3:5]]), state)
    near(found, torch.stack([features[0, 2:4], features[1, 6:8], features[3, 3:5]]))
    long = model.start(1, length=T)
    model.advance(tokens[:1, :12], long)
    with pytest.raises(ValueError, match="a row would hold 12 tokens, and the state has room for"):
        other.put(torch.tensor([0]), long)


@every_model
@settings(max_examples=20, deadline=None)
@given(seed=seeds, kept=st.tuples(st.integers(3, 8), st.integers(3, 5)))
def test_a_rewound_state_has_never_read_on(name: str, seed: int, kept: tuple[int, int]) -> None:
    model, tokens = model_of(name), draw(2, T, seed)
    wrong = (tokens + 1) % SPECIAL.bos
    state = model.start(2, length=T)
    model.advance(tokens[:, :3], state)
    read = torch.where(
        torch.arange(3, 8) < torch.tensor(kept)[:, None], tokens[:, 3:8], wrong[:, 3:8]
    )
    model.advance(read, state, counts=torch.tensor([5, 2]))
    state.rewind(torch.tensor(kept))
    assert state.lengths.tolist() == list(kept)
    features = model.features(tokens)
    here = torch.stack([tokens[row, n : n + 4] for row, n in enumerate(kept)])
    found = model.advance(here, state)
    for row, start in enumerate(kept):
        near(found[row], features[row, start : start + 4])


@every_model
def test_a_state_refuses_what_does_not_fit(name: str) -> None:
    model, tokens = model_of(name), draw(2, T, 0)
    state = model.start(2, length=6)
    model.advance(tokens[:, :4], state)
    with pytest.raises(ValueError, match="a row would hold 7 tokens, and the state has room for 6"):
        model.advance(tokens[:, 4:7], state)
    assert state.lengths.tolist() == [4, 4]
    # Padding may reach beyond the room.
    model.advance(tokens[:, 4:7], state, counts=torch.tensor([2, 0]))
    assert state.lengths.tolist() == [6, 4]
    with pytest.raises(ValueError, match=r"counts must lie between 0 and 1, got \[0, 2\]"):
        model.advance(tokens[:, :1], state, counts=torch.tensor([0, 2]))
    with pytest.raises(ValueError, match="the state has 2 rows, got 1"):
        model.advance(tokens[:1, :1], state)
    with pytest.raises(ValueError, match=r"cannot be rewound to \[7, 0\] tokens"):
        state.rewind(torch.tensor([7, 0]))
    with pytest.raises(ValueError, match="tokens must lie between 0 and 22, got 0 to 23"):
        model.advance(torch.tensor([[0], [V]]), state)
    with pytest.raises(ValueError, match="tokens must lie between 0 and 22"):
        model.features(torch.tensor([[-1, 3]]))
    with pytest.raises(ValueError, match="length must"):
        model.start(1, length=0)


def test_the_window_of_a_transformer_is_its_limit() -> None:
    model = model_of("gpt")
    assert model.window == T
    with pytest.raises(ValueError, match="at most 16 tokens fit into the window, got 17"):
        model.features(draw(1, T + 1, 0))
    with pytest.raises(ValueError, match="window 16"):
        model.start(1, length=T + 1)
    assert model_of("gru").window is None
