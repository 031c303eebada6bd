"""In float32: what a row reads has the same bits whatever its neighbours hold and read."""

import pytest
import torch
from torch import Tensor

from ancestral.autoregressive import GPT, GPTParts, GPTShape
from ancestral.nn.key_value_cache import KeyValueCache

ROWS, WINDOW, V = 3, 600, 20
SHAPES = {
    "gpt": (GPTShape(window=WINDOW, width=32, layers=2, heads=2), GPTParts()),
    "grouped": (
        GPTShape(window=WINDOW, width=24, layers=1, heads=4, key_value_heads=2, head_width=6),
        GPTParts(positions="rotary", qk_norm=True),
    ),
}


def model_of(name: str) -> GPT:
    torch.manual_seed(0)
    shape, parts = SHAPES[name]
    model = GPT(V, shape=shape, parts=parts).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def after(model: GPT, lengths: list[int], counts: list[int], token: int) -> Tensor:
    """Features of one more token of each row that reads, [B, D]; row 1 holds what row 1 holds."""
    generator = torch.Generator().manual_seed(7)
    data = torch.zeros_like(model.start(ROWS, length=WINDOW).data)
    mine = torch.randn(data[:, :, 0].shape, generator=generator)
    data.normal_(generator=torch.Generator().manual_seed(sum(lengths)))
    data[:, :, 1] = mine
    state = KeyValueCache(data, torch.tensor(lengths))
    tokens = torch.randint(V, (ROWS, 1), generator=torch.Generator().manual_seed(lengths[0]))
    tokens[1] = token
    return model.advance(tokens, state, counts=torch.tensor(counts))[:, 0]


LENGTHS = [*range(40), 127, 128, 129, 255, 256, 300, 495, 496, 497, 511, 512, 513]


@pytest.mark.bits
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("threads", "lengths"), [(1, LENGTHS), (2, LENGTHS[1::9])])
def test_bits_of_a_row_do_not_depend_on_its_neighbours(
    name: str, threads: int, lengths: list[int]
) -> None:
    model, before = model_of(name), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for length in lengths:
            # All equally long; shorter, longer and much longer neighbours; idle ones, full ones.
            expected = after(model, [length] * 3, [1] * 3, 5)[1]
            for others, counts in (
                ((0, 0), (0, 0)), ((0, 3), (1, 1)), ((length // 2, length + 1), (1, 1)),
                ((length + 16, 0), (1, 0)), ((WINDOW - 1, 40), (1, 1)), ((WINDOW, 9), (0, 1)),
            ):  # fmt: skip
                rows = [others[0], length, others[1]]
                found = after(model, rows, [counts[0], 1, counts[1]], 5)[1]
                assert torch.equal(found, expected), (length, others)
    finally:
        torch.set_num_threads(before)


def test_a_row_that_is_replaced_leaves_nothing() -> None:
    model = model_of("gpt")
    state = model.start(2, length=40)
    tokens = torch.arange(8)[None].expand(2, -1) % V
    model.advance(tokens, state)
    state.data[:, :, 0, :, :8] = torch.nan
    one = model.start(1, length=8)
    model.advance(tokens[:1, :3], one)
    state.put(torch.tensor([0]), one)
    found = model.advance(tokens[:, 3:4], state)
    torch.testing.assert_close(found[:1], model.features(tokens[:1, :4])[:, 3:])
    assert state.room == 40
    assert state.first(1).room == state.select(torch.tensor([1])).room == 40
