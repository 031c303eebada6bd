"""Log-likelihood of whole documents under a model with a window or without: exact, or a bound."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn.utils.rnn import pad_sequence

from ancestral.capabilities import Infills, LanguageModel, SpecialTokens

_CELLS = 2**23
"""Logits in the memory at a time."""

_TOKENS = 4096
"""Tokens in one call of the model."""


@torch.no_grad()
def token_log_probs(model: LanguageModel, document: Tensor) -> Tensor:
    """Return log p of each token given those before it, in nats, float64 [T - 1].

    A document that is longer than the model's window is read in windows that share half their
    tokens, so that a token sees at least half a window of what stands before it.

    Args:
        model: In evaluation mode.
        document: BOS and what follows it, int64 [T]; PAD does not occur.
    """
    if len(document) < 2:
        return torch.zeros(0, dtype=torch.float64)
    if model.window is None or len(document) - 1 <= model.window:
        return _in_one_piece(model, document)
    window, share = model.window, (model.window + 1) // 2
    # Window i predicts the tokens after position i * share + window - share: all are full.
    starts = range(share, len(document) - window, share)
    first = _scores(model, document[None, : window + 1])[0]
    rows = [document[at : at + window + 1] for at in starts]
    rest = (len(document) - 1 - window) % share
    size = max(1, _TOKENS // window)
    parts = [first]
    for at in range(0, len(rows), size):
        some = torch.stack(rows[at : at + size])
        parts.append(_scores(model, some)[:, window - share :].flatten())
    if rest:
        parts.append(_scores(model, document[None, -window - 1 :])[0, window - rest :])
    return torch.cat(parts)


@torch.no_grad()
def document_bounds(
    model: Infills, documents: Sequence[Tensor], *, generator: Generator | None = None
) -> Tensor:
    """Return a lower bound on log p of each document, in nats, float64 [N]; one draw of the masks.

    A document that is longer than the model's window is read in windows that share half their
    tokens, as by :func:`token_log_probs`.

    Args:
        model: In evaluation mode.
        documents: BOS and what follows it, int64 [T]; PAD does not occur.
        generator: Of the masks.
    """
    share, pad = max(model.window // 2, 1), SpecialTokens.of(model.vocabulary).pad
    again, found = model.window + 1 - share, torch.zeros(len(documents), dtype=torch.float64)
    firsts = [(i, text[: model.window + 1]) for i, text in enumerate(documents)]
    others = [
        (i, text[at : at + model.window + 1])
        for i, text in enumerate(documents)
        for at in range(share, len(text) - again, share)
    ]
    for known, pieces in ((1, firsts), (again, others)):
        rows = sorted((row for row in pieces if len(row[1]) > 1), key=lambda row: -len(row[1]))
        for at in range(0, len(rows), size := max(1, _TOKENS // model.window)):
            owners, windows = zip(*rows[at : at + size], strict=True)
            x = pad_sequence([*windows], batch_first=True, padding_value=pad)
            given = {"known": torch.tensor(known)}
            values = model.elbo(x, given=given, generator=generator).double().cpu()
            found.index_add_(0, torch.tensor(owners), values)
    return found


def _in_one_piece(model: LanguageModel, document: Tensor) -> Tensor:
    """Read a document from left to right with a state, piece by piece."""
    inputs, targets = document[:-1], document[1:]
    state = model.start(1, length=len(inputs))
    parts = []
    for piece, wanted in zip(inputs.split(_TOKENS), targets.split(_TOKENS), strict=True):
        features = model.advance(piece[None], state)
        parts.append(_chosen(model, features, wanted[None])[0])
    return torch.cat(parts)


def _scores(model: LanguageModel, rows: Tensor) -> Tensor:
    return _chosen(model, model.features(rows[:, :-1]), rows[:, 1:])


def _chosen(model: LanguageModel, features: Tensor, targets: Tensor) -> Tensor:
    """Return the log-probabilities of targets [B, S], a few rows of logits at a time."""
    flat, wanted = features.flatten(0, 1), targets.flatten()
    size = max(1, _CELLS // model.vocabulary)
    parts = []
    for some, ids in zip(flat.split(size), wanted.split(size), strict=True):
        logits = model.head(some)
        chosen = logits.gather(1, ids[:, None])[:, 0].double()
        parts.append(chosen - logits.double().logsumexp(dim=1))
    return torch.cat(parts).reshape(targets.shape)
