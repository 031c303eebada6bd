"""What the book says of recurrent networks, beyond the laws that all language models share."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ancestral.autoregressive import GPT, GPTShape, RecurrentLM
from ancestral.capabilities import SpecialTokens
from ancestral.training import Budget, Game, Options, Rows, train

V = 7
SPECIAL = SpecialTokens.of(V)


def test_elmans_formula() -> None:
    """h_t = tanh(A x_t + B h_{t-1} + d), with d the sum of torch's two biases."""
    model = RecurrentLM(V, width=5).double().eval()
    tokens = torch.tensor([[SPECIAL.bos, 0, 2, 1]])
    weights = dict(model.named_parameters())
    (a,) = (p for name, p in weights.items() if "weight_ih" in name)
    (b,) = (p for name, p in weights.items() if "weight_hh" in name)
    d = sum(p for name, p in weights.items() if "bias_ih" in name or "bias_hh" in name)
    embedding = next(p for p in weights.values() if p.shape == (V, 5))
    h, expected = torch.zeros(5, dtype=torch.float64), []
    for token in tokens[0]:
        h = torch.tanh(a @ embedding[token] + b @ h + d)
        expected.append(h)
    torch.testing.assert_close(model.features(tokens)[0], torch.stack(expected))


@pytest.mark.parametrize("build", [lambda: RecurrentLM(V, width=5), lambda: GPT(V, shape=TINY)])
def test_all_texts_of_three_tokens_sum_to_one(build: type[nn.Module]) -> None:
    """The factorisation: what ends within three tokens, and what goes on after them."""
    torch.manual_seed(0)
    model = build().double().eval()
    with torch.no_grad():
        total = 0.0
        for length in range(3):  # Texts that end after so many tokens, by EOS.
            for text in itertools.product(everything_but_ends(), repeat=length):
                total += probability(model, [*text, SPECIAL.eos])
        for text in itertools.product(everything_but_ends(), repeat=3):
            total += probability(model, list(text))
    assert total == pytest.approx(1.0, abs=1e-12)


def test_log_prob_is_a_sum_over_tokens() -> None:
    model = RecurrentLM(V, width=5).double().eval()
    whole = torch.tensor([[SPECIAL.bos, 0, 1, 2]])
    logs = model(whole[:, :-1]).log_softmax(-1)
    parts = logs[0, range(3), whole[0, 1:]].sum()
    torch.testing.assert_close(model.log_prob(whole)[0], parts)


TINY = GPTShape(window=8, width=8, layers=1, heads=2)


def everything_but_ends() -> list[int]:
    return [token for token in range(V) if token != SPECIAL.eos]


def probability(model: nn.Module, text: list[int]) -> float:
    logs = model(torch.tensor([[SPECIAL.bos, *text[:-1]]])).log_softmax(-1)[0]
    return float(logs[range(len(text)), text].sum().exp())


@pytest.mark.slow
def test_a_transformer_copies_over_a_distance_at_which_elmans_network_forgets() -> None:
    """Repeat at the end the first token, one of four: accuracy falls with distance for the RNN."""

    def examples(rows: int, distance: int, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randint(4, 7, (rows, distance + 2), generator=generator)
        x[:, 0] = SpecialTokens.of(12).bos
        x[:, 1] = torch.randint(4, (rows,), generator=generator)
        x[:, -2] = 7  # Asks for it.
        x[:, -1] = x[:, 1]
        return x

    def accuracy(build: Callable[[], RecurrentLM | GPT], distance: int) -> float:
        torch.manual_seed(0)
        model = build()
        options = Options(batch_size=32, warmup=20, schedule="constant")
        game = Game(model.players(), options, seed=0)
        for _ in train(game, Rows(examples(2_048, distance, 0)), budget=Budget(steps=1_500)):
            pass
        held = examples(512, distance, 1)
        with torch.no_grad():
            guess = model.eval()(held[:, :-1])[:, -1].argmax(-1)
        return float((guess == held[:, -1]).double().mean())

    shape = GPTShape(window=32, width=32, layers=2, heads=2)
    near, far = 2, 16
    assert accuracy(lambda: RecurrentLM(12, width=32), near) > 0.95
    assert accuracy(lambda: RecurrentLM(12, width=32), far) < 0.5
    assert accuracy(lambda: GPT(12, shape=shape, dropout=0.0), far) > 0.95
