import math

import pytest
import torch
from torch import Tensor, nn

from ancestral.evaluation.text.likelihood import document_bounds, token_log_probs

V = 11


class MeanModel(nn.Module):
    """Predicts from the mean embedding of all tokens in its window: context matters everywhere."""

    vocabulary = V

    def __init__(self, window: int | None) -> None:
        super().__init__()
        self.window = window
        generator = torch.Generator().manual_seed(0)
        self.table = torch.randn(V, 5, generator=generator, dtype=torch.float64)
        self.out = torch.randn(5, V, generator=generator, dtype=torch.float64)

    def features(self, tokens: Tensor) -> Tensor:
        steps = torch.arange(1, tokens.shape[1] + 1)[None, :, None]
        return self.table[tokens].cumsum(dim=1) / steps

    def head(self, features: Tensor) -> Tensor:
        return features @ self.out

    def start(self, rows: int, *, length: int) -> list[Tensor]:
        assert self.window is None or length <= self.window
        return [torch.zeros(rows, 0, dtype=torch.int64)]

    def advance(
        self, tokens: Tensor, state: list[Tensor], *, counts: Tensor | None = None
    ) -> Tensor:
        assert counts is None
        state[0] = torch.cat((state[0], tokens), dim=1)
        return self.features(state[0])[:, -tokens.shape[1] :]


def document(length: int) -> Tensor:
    generator = torch.Generator().manual_seed(length)
    body = torch.randint(0, V - 4, (length - 2,), generator=generator)
    return torch.cat((torch.tensor([V - 4]), body, torch.tensor([V - 3])))


def plain(model: MeanModel, context: Tensor, target: int) -> float:
    logits = model.head(model.features(context[None]))[0, -1]
    return logits.log_softmax(0)[target].item()


@pytest.mark.parametrize("length", [2, 3, 9, 40])
def test_without_a_window_every_token_sees_all_before_it(length: int) -> None:
    model, text = MeanModel(None), document(length)
    wanted = [plain(model, text[:t], int(text[t])) for t in range(1, length)]
    assert token_log_probs(model, text).tolist() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("window", [2, 5, 8])
@pytest.mark.parametrize("length", [2, 8, 9, 10, 13, 40, 41])
def test_long_documents_are_read_in_windows_that_share_half(window: int, length: int) -> None:
    model, text = MeanModel(window), document(length)
    found = token_log_probs(model, text)
    assert len(found) == length - 1
    for t in range(1, length):
        # Whatever the windows, a token sees from half a window to a whole one.
        contexts = range(max(0, t - window), max(0, t - window // 2) + 1)
        possible = [plain(model, text[start:t], int(text[t])) for start in contexts]
        assert any(math.isclose(found[t - 1], value, abs_tol=1e-12) for value in possible)


def test_of_one_token_nothing_is_predicted() -> None:
    assert token_log_probs(MeanModel(6), document(2)[:1]).shape == (0,)


class Unigram(nn.Module):
    """Tokens are independent, so that the bound of a document is the sum over its tokens."""

    vocabulary = V

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window
        generator = torch.Generator().manual_seed(0)
        self.log_p = torch.randn(V, generator=generator, dtype=torch.float64).log_softmax(0)

    def elbo(
        self,
        x: Tensor,
        *,
        given: dict[str, Tensor] | None = None,
        draws: int = 1,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        assert given is not None
        assert 2 <= x.shape[1] <= self.window + 1
        assert draws == 1
        del generator
        scored = torch.where(x == V - 1, 0.0, self.log_p[x])
        return scored[:, int(given["known"]) :].sum(1)


@pytest.mark.parametrize("window", [2, 3, 8, 9, 64])
def test_a_bound_counts_every_token_of_every_document_once(window: int) -> None:
    model = Unigram(window)
    texts = [document(length) for length in (2, 3, 8, 9, 10, 11, 23, 40)]
    wanted = torch.stack([model.log_p[text[1:]].sum() for text in texts])
    torch.testing.assert_close(document_bounds(model, texts), wanted)  # pyright: ignore[reportArgumentType]
