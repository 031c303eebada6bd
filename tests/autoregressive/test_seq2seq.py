"""The law of a small model, summed over all sequences; the reverse and copy tasks."""

import itertools

import pytest
import torch
from tests.contracts.models import train
from torch import Generator, Tensor

from ancestral.autoregressive import GPTShape, Seq2Seq, padded_pairs
from ancestral.errors import CapabilityError

V, WINDOW = 6, 3
BOS, EOS, UNK, PAD = 2, 3, 4, 5


@pytest.fixture
def tiny(float64: None) -> Seq2Seq:
    model = Seq2Seq(V, shape=GPTShape(window=WINDOW, width=8, layers=2, heads=2), dropout=0.0)
    with torch.no_grad():  # Far from uniform.
        for parameter in model.parameters():
            parameter += 0.5 * torch.randn_like(parameter)
    return model.eval()


def every_sequence() -> Tensor:
    """All that can be written: ended by EOS, or cut where the window ends."""
    words = (0, 1, UNK)
    ended = [
        (BOS, *body, EOS, *[PAD] * (WINDOW - 1 - size))
        for size in range(WINDOW)
        for body in itertools.product(words, repeat=size)
    ]
    return torch.tensor(ended + [(BOS, *b) for b in itertools.product(words, repeat=WINDOW)])


@torch.no_grad()
def test_the_law_sums_to_one_and_is_that_of_the_draws(tiny: Seq2Seq) -> None:
    x = every_sequence()
    p = tiny.log_prob(x, given={"source": torch.tensor([1, 0])}).exp()
    assert float(p.sum()) == pytest.approx(1.0, abs=1e-12)
    given, n = {"source": torch.tensor([1, 0])}, 20_000
    drawn = tiny.sample(n, given=given, generator=Generator().manual_seed(0))
    counts = (drawn[:, None] == x).all(2).sum(0)
    assert int(counts.sum()) == n
    error = (p * (1 - p) / n).sqrt()
    assert bool(((counts / n - p).abs() < 5 * error + 1e-4).all())
    other = tiny.log_prob(x, given={"source": torch.tensor([0, 1])}).exp()
    assert float((other - p).abs().sum()) > 0.1  # The order of the source matters.


@torch.no_grad()
def test_the_padding_of_the_source_is_not_seen_and_rows_are_apart(tiny: Seq2Seq) -> None:
    x = every_sequence()[:4]
    source = torch.tensor([[0, 1, PAD], [1, PAD, PAD], [1, 1, 0], [0, PAD, PAD]])
    together = tiny.log_prob(x, given={"source": source})
    for row in range(4):
        alone = source[row][source[row] != PAD]
        torch.testing.assert_close(
            tiny.log_prob(x[row : row + 1], given={"source": alone})[0], together[row]
        )


@torch.no_grad()
def test_the_writer_with_its_state_is_the_whole_pass(tiny: Seq2Seq) -> None:
    source = torch.tensor([[0, 1, PAD], [1, 0, 1]])
    x = tiny.translate(source)
    features, _ = tiny._read(torch.cat((x, x[:, -1:]), 1)[:, : WINDOW + 1], {"source": source})
    likeliest = (features @ tiny.tokens.weight.T + tiny.never).argmax(-1)
    live = (x[:, 1:] != PAD) & (x[:, 1:] >= 0)
    assert bool((likeliest[:, : x.shape[1] - 1] == x[:, 1:])[live].all())


@torch.no_grad()
def test_the_encoder_sees_both_sides_and_the_decoder_those_before(tiny: Seq2Seq) -> None:
    source = torch.tensor([[0, 1, 0]])
    other = torch.tensor([[0, 1, 1]])
    first, changed = (tiny.encode_source(s)[0][0, 0] for s in (source, other))
    assert float((first - changed).abs().max()) > 1e-3
    features = [tiny._read(torch.tensor([[BOS, 0, w, 1]]), {"source": source})[0] for w in (0, 1)]
    torch.testing.assert_close(features[0][:, :2], features[1][:, :2], rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["copy", "reverse"])
def test_copy_and_reverse_are_learned(task: str) -> None:
    # PN-14: over 99% of unseen sequences come out exactly.
    def pairs(n: int, seed: int) -> tuple[list[list[int]], list[list[int]]]:
        generator = Generator().manual_seed(seed)
        sizes = torch.randint(1, 9, (n,), generator=generator).tolist()
        sources = [torch.randint(12, (size,), generator=generator).tolist() for size in sizes]
        return sources, [s[::-1] if task == "reverse" else s for s in sources]

    model = Seq2Seq(16, shape=GPTShape(window=9, width=32, layers=2, heads=4), dropout=0.0)
    examples = padded_pairs(*pairs(20_000, 0), vocabulary=16)
    train(model.players(), examples, steps=300, learning_rate=3e-3)
    held_out = padded_pairs(*pairs(2_000, 1), vocabulary=16)
    written = model.eval().translate(held_out.given["source"])
    width = held_out.x.shape[1]
    assert written.shape[1] >= width
    assert (written[:, :width] == held_out.x).all(1).double().mean() > 0.99


def test_every_parameter_learns(tiny: Seq2Seq) -> None:
    batch = padded_pairs([[0, 1, 0], [1]], [[1, 0], [0, 1]], vocabulary=V)
    (player,) = tiny.players()
    loss = player.loss(batch, None)
    assert loss.weight == 6  # Two tokens and EOS of each.
    want = -tiny.log_prob(batch.x, given=batch.given).sum()
    torch.testing.assert_close(loss.total, want)
    loss.total.backward()
    assert all(p.grad is not None and p.grad.any() for p in tiny.parameters())


def test_mistakes_are_named(tiny: Seq2Seq) -> None:
    x, source = torch.tensor([[BOS, 0, EOS]]), torch.tensor([[0, 1]])
    with pytest.raises(ValueError, match="given must have the source"):
        tiny.log_prob(x)
    with pytest.raises(CapabilityError, match="only source can be given"):
        tiny.sample(2, given={"prompt": source[0]})
    with pytest.raises(ValueError, match="a token or more before its PAD"):
        tiny.translate(torch.tensor([[PAD, 0]]))
    with pytest.raises(ValueError, match=r"T from 1 to 3, got \[1, 4\]"):
        tiny.translate(torch.tensor([[0, 1, 0, 1]]))
    with pytest.raises(ValueError, match="tokens of source must lie between 0 and 5"):
        tiny.translate(torch.tensor([[6]]))
    with pytest.raises(ValueError, match="'source' must have shape"):
        tiny.sample(3, given={"source": source})
    with pytest.raises(ValueError, match="as many sources as targets"):
        padded_pairs([[0]], [], vocabulary=V)
