"""The book's way to generate: the whole context anew for each token, a loop over the vocabulary."""

from collections.abc import Callable

import torch

from ancestral.autoregressive import GPT


def make(model: GPT, *, tokens: int) -> Callable[[], object]:
    """Return what generates so many tokens from eight, with the book's settings."""
    prompt = torch.tensor([[60_194, *range(8)]])
    return lambda: generate_tokens(model, prompt, max_tokens=tokens)


@torch.no_grad()
def generate_tokens(
    model: GPT,
    context: torch.Tensor,
    *,
    temperature: float = 0.8,
    top_k: int = 50,
    max_tokens: int = 256,
    repetition_penalty: float = 1.01,
) -> torch.Tensor:
    """Penalty, temperature, top-K, draw; no cache."""
    for _ in range(max_tokens):
        logits = model(context)[:, -1, :]
        counts = torch.bincount(context[0], minlength=logits.shape[-1]).tolist()
        for token, count in enumerate(counts):
            value = logits[0, token]  # Read for every token of the vocabulary.
            if count:
                scale = repetition_penalty**count
                logits[0, token] = value / scale if value > 0 else value * scale
        logits = logits / temperature
        kept, places = torch.topk(logits, top_k)
        drawn = torch.multinomial(torch.softmax(kept, -1), 1)
        context = torch.cat([context, places.gather(1, drawn)], dim=1)
    return context
