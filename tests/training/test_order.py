from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestral.training.order import Order, by_length, global_randomness, order, seed_of


def test_purposes_have_different_seeds_of_63_bits() -> None:
    purposes = [(), (1,), ("1",), (1, 1), (11,), ("a", 1), ("a1",), ("a", "1"), (-1,)]
    seeds = [seed_of(s, *purpose) for s in (0, 1) for purpose in purposes]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seeds_do_not_change_from_process_to_process() -> None:
    # A run of yesterday resumes today: the number is part of the checkpoint's format.
    assert seed_of(0, "noise", 1) == 2376061928063757211


def test_an_order_is_a_permutation_and_differs_by_epoch_and_seed() -> None:
    orders = [order(50, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    for found in orders:
        assert found.sort().values.tolist() == list(range(50))
    assert len({tuple(found.tolist()) for found in orders}) == 4


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 30), size=st.integers(1, 40), epochs=st.integers(1, 4))
def test_every_example_is_seen_once_an_epoch(n: int, size: int, epochs: int) -> None:
    stream = Order(n, size, seed=3)
    batches = -(-n * epochs // stream.batch_size)
    seen = torch.cat([stream.batch(i) for i in range(batches)])
    assert all(len(stream.batch(i)) == min(n, size) for i in range(batches))
    assert Counter(seen[: n * epochs].tolist()) == dict.fromkeys(range(n), epochs)


def test_a_batch_does_not_depend_on_what_was_asked_before() -> None:
    straight, jumping = Order(10, 4, seed=0), Order(10, 4, seed=0)
    batches = [straight.batch(i) for i in range(12)]
    for i in (11, 0, 7, 2, 6, 3):
        assert torch.equal(jumping.batch(i), batches[i])


@pytest.mark.parametrize(("n", "size"), [(0, 1), (1, 0)])
def test_an_empty_stream_is_refused(n: int, size: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Order(n, size, seed=0)


def test_the_global_generator_is_put_back() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with global_randomness(torch.device("cpu")) as generator:
        generator.manual_seed(1)
        torch.rand(10)
    with pytest.raises(KeyError), global_randomness(torch.device("cpu")):
        raise KeyError(torch.rand(10))
    assert torch.equal(torch.rand(3), expected)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=60), st.integers(1, 8))
def test_order_by_length_is_a_permutation_within_buckets(lengths: list[int], bucket: int) -> None:
    first = order(len(lengths), 0, 0)
    found = by_length(first, torch.tensor(lengths), bucket)
    for before, after in zip(first.split(bucket), found.split(bucket), strict=True):
        assert before.sort().values.tolist() == after.sort().values.tolist()


def test_batches_of_like_length_need_less_padding() -> None:
    lengths = torch.randint(1, 200, (4_000,), generator=torch.Generator().manual_seed(0))

    def cells(stream: Order) -> int:
        parts = [lengths[stream.batch(i)] for i in range(4_000 // 16)]
        assert torch.cat([stream.batch(i) for i in range(250)]).unique().numel() == 4_000
        return sum(int(part.max()) * len(part) for part in parts)

    plain, sorted_ = (cells(Order(4_000, 16, seed=0, lengths=of)) for of in (None, lengths))
    # Of 16 uniform lengths the longest is 16/17 of the range: 1.88 cells a token.
    assert plain > 1.8 * int(lengths.sum())
    assert sorted_ < 1.05 * int(lengths.sum())
