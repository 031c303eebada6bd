import math

import pytest
import torch

from ancestral.autoregressive import GPT, GPTParts, GPTShape, RecurrentLM, attention_maps
from ancestral.capabilities import Batch, SpecialTokens

BOOK_VOCABULARY = 60_198


def size(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_the_book_s_numbers_of_parameters() -> None:
    with torch.device("meta"):
        assert size(GPT(BOOK_VOCABULARY)) == 56_957_184
        assert size(RecurrentLM(BOOK_VOCABULARY)) == 46_587_942


@pytest.mark.parametrize(
    "parts",
    [
        GPTParts(positions="rotary"),
        GPTParts(norm="rms"),
        GPTParts(feed_forward="swiglu"),
        GPTParts(tied=True),
        GPTParts(qk_norm=True),
    ],
)
def test_options_leave_the_default_as_it_is(parts: GPTParts) -> None:
    with torch.device("meta"):
        assert size(GPT(500, parts=parts)) > 0
        assert size(GPT(BOOK_VOCABULARY)) == 56_957_184


@pytest.mark.parametrize("model", ["gpt", "elman"])
def test_the_first_loss_is_that_of_uniform_guesses(model: str) -> None:
    v = 5_000
    made = GPT(v, shape=GPTShape(window=32)) if model == "gpt" else RecurrentLM(v)
    made.eval()
    x = torch.randint(v - 4, (4, 33))
    loss = made.players()[0].loss(Batch(x), None)
    assert loss.total.item() / loss.weight == pytest.approx(math.log(v), abs=0.3)


def test_attention_maps_are_lower_triangular_and_sum_to_one() -> None:
    model = GPT(100, shape=GPTShape(window=16, width=32, layers=3, heads=4))
    maps = attention_maps(model, torch.randint(96, (2, 10)))
    assert len(maps) == 3
    for block in maps:
        assert block.shape == (2, 4, 10, 10)
        torch.testing.assert_close(block.sum(-1), torch.ones(2, 4, 10))
        assert not block.triu(1).any()


@pytest.mark.bits
def test_samples_end_and_continue_their_prompt() -> None:
    model = GPT(20, shape=GPTShape(window=16, width=16, layers=1, heads=2)).eval()
    special = SpecialTokens.of(20)
    prompt = torch.tensor([special.bos, 3, 5])
    drawn = model.sample(6, given={"prompt": prompt}, generator=torch.Generator().manual_seed(0))
    again = model.sample(6, given={"prompt": prompt}, generator=torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)
    assert torch.equal(drawn[:, :3], prompt.expand(6, 3))
    for row in drawn.tolist():
        if special.eos in row:
            assert set(row[row.index(special.eos) + 1 :]) <= {special.pad}
    with pytest.raises(ValueError, match="given only prompt"):
        model.sample(2, given={"label": prompt})
