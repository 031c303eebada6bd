"""Contrastive search: probable tokens that do not lead back to where the text has been."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ancestral.autoregressive.decoding.continuation import Choice, Continuation, Stop
from ancestral.autoregressive.decoding.reader import check_prompts, on_cpu, reading
from ancestral.autoregressive.decoding.settings import Decoding
from ancestral.capabilities import LanguageModel, TokenState
from ancestral.errors import CapabilityError, ConfigError


def contrastive_search(
    model: LanguageModel,
    prompt: Sequence[int],
    *,
    top_k: int = 4,
    alpha: float = 0.6,
    max_tokens: int = 256,
    stop: Stop | None = None,
) -> Iterator[list[Choice]]:
    """Choose ``argmax (1 - alpha) p(v) - alpha max_j cos(h_v, h_j)`` among the k most probable.

    h_v is the feature after v, and h_j those of all tokens so far. Deterministic.

    Source: Su et al. 2022, A contrastive framework for neural text generation, arXiv:2202.06417,
    eq. 5.

    Args:
        model: A language model whose features are vectors.
        prompt: Tokens, at least one.
        top_k: Candidates k, at least 1.
        alpha: In [0, 1]; 0 is greedy.
        max_tokens: Most tokens, at least 1; with the prompt they must fit into the window.
        stop: Ends the text, besides EOS and PAD.

    Yields:
        One choice a step.

    Raises:
        DataError: If the prompt is empty, too long, or has an unknown token.
        ConfigError: If another argument is out of its range.
        CapabilityError: If the model's features are not vectors.

    Example:
        >>> from ancestral.autoregressive import GPT, GPTShape
        >>> _ = torch.manual_seed(0)
        >>> model = GPT(20, shape=GPTShape(window=16, width=8, layers=1, heads=1))
        >>> len(list(contrastive_search(model, [16], max_tokens=5)))
        5
    """
    check_prompts(model, [prompt])
    if not 0 <= alpha <= 1:
        raise ConfigError(f"alpha must be at least 0 and at most 1, got {alpha}")
    for name, value in (("top_k", top_k), ("max_tokens", max_tokens)):
        if value < 1:
            raise ConfigError(f"{name} must be at least 1, got {value}")
    length = len(prompt) + max_tokens
    if model.window is not None and length > model.window:
        raise ConfigError(
            f"max_tokens must be at most {model.window - len(prompt)} after this prompt, "
            f"got {max_tokens}"
        )
    row = Continuation(
        prompt,
        Decoding.greedy(),
        vocabulary=model.vocabulary,
        max_tokens=max_tokens,
        stop=stop,
    )
    with reading(model):  # Before anything is shown.
        state = model.start(1, length=length)
        read = model.advance(torch.tensor([row.history.tokens]), state)[0]
    if not read.is_floating_point() or read.ndim != 2:
        raise CapabilityError("contrastive search needs a network: features that are vectors")
    k = min(top_k, model.vocabulary)
    return _steps(model, row, read, state, length=length, k=k, alpha=alpha)


def _steps(
    model: LanguageModel,
    row: Continuation,
    read: Tensor,
    state: TokenState,
    *,
    length: int,
    k: int,
    alpha: float,
) -> Iterator[list[Choice]]:
    with reading(model):
        state = state.select(torch.zeros(k, dtype=torch.int64))
        past = torch.empty(length, read.shape[1])
        past[: len(read)] = functional.normalize(read.float(), dim=-1)
        last = read[-1]
    while row.reason is None:
        held = len(row.history.tokens)
        with reading(model):
            logits = on_cpu(model.head(last[None]))[0]
            probable = logits.softmax(-1).topk(k)
            features = model.advance(probable.indices[:, None], state)[:, 0]
            best = _best(probable.values, features, past[:held], alpha)
            past[held] = functional.normalize(features[best].float(), dim=-1)
            last = features[best]
            state = state.select(torch.full((k,), best))
        yield [row.take(int(probable.indices[best]), logits)]


def _best(probability: Tensor, features: Tensor, past: Tensor, alpha: float) -> int:
    alike = (functional.normalize(features.float(), dim=-1) @ past.T).amax(-1)
    return int(((1 - alpha) * probability - alpha * alike).argmax())
