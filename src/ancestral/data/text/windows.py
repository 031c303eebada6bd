"""Windows of tokens: packed one after the other, or one document each, cut or filled."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ancestral.capabilities import SpecialTokens
from ancestral.data.text.shards import map_tokens

_ROWS = 4096


def pack(tokens: Tensor, window: int) -> Tensor:
    """Return windows of a stream, of which each begins with the last token of the one before.

    So every token but the first is predicted once. It is a view: nothing is copied.

    Args:
        tokens: A stream of N T + 1 tokens, [L].
        window: T, at least 1.

    Returns:
        Windows, [N, T + 1].

    Raises:
        ValueError: If L is not a multiple of T and one more; see ``packed_length``.

    Example:
        >>> pack(torch.arange(7), 3)
        tensor([[0, 1, 2, 3],
                [3, 4, 5, 6]])
    """
    if len(tokens) < window + 1 or (len(tokens) - 1) % window:
        raise ValueError(f"a stream must hold N * {window} + 1 tokens, got {len(tokens)}")
    return tokens.as_strided(((len(tokens) - 1) // window, window + 1), (window, 1))


def packed_length(tokens: int, window: int) -> int:
    """Return the length to which a stream is filled for ``pack``.

    Example:
        >>> packed_length(6, 3)
        7
    """
    return max(-(-(tokens - 1) // window), 1) * window + 1


def write_padded(path: Path, tokens: Tensor, starts: Tensor, window: int, pad: int) -> Tensor:
    """Write a window for each document of a stream: its first T + 1 tokens, filled with PAD.

    Args:
        path: File of the windows.
        tokens: The stream, int32 [L].
        starts: Place of each document's BOS, int64 [N].
        window: T.
        pad: Id of PAD.

    Returns:
        Windows, int32 [N, T + 1], mapped from the file.
    """
    stream, places = tokens.numpy(), np.append(starts.numpy(), len(tokens))
    with path.open("wb") as file:
        for first in range(0, len(places) - 1, _ROWS):
            begin, end = places[first:-1][:_ROWS], places[first + 1 :][:_ROWS]
            index = begin[:, None] + np.arange(window + 1)
            inside = index < end[:, None]
            rows = np.where(inside, stream[np.where(inside, index, begin[:, None])], pad)
            file.write(rows.astype(np.int32).tobytes())
    return map_tokens(path).reshape(-1, window + 1)


def lengths(windows: Tensor, pad: int) -> Tensor:
    """Return how many tokens of each window [N, T + 1] are not PAD, int64 [N].

    PAD only follows the last token.

    Example:
        >>> lengths(torch.tensor([[5, 1, 6, 8], [5, 6, 8, 8]]), pad=8)
        tensor([3, 2])
    """
    parts = [(part != pad).sum(dim=1) for part in windows.split(_ROWS)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)


def target_share(windows: Tensor, special: SpecialTokens) -> float:
    """Return the share of predicted places that teach something: neither PAD nor BOS.

    Example:
        >>> target_share(torch.tensor([[5, 1, 6, 8], [5, 6, 5, 0]]), SpecialTokens.of(9))
        0.6666666666666666
    """
    found = sum(int(special.predicted(part[:, 1:]).sum()) for part in windows.split(_ROWS))
    return found / max(windows.shape[0] * (windows.shape[1] - 1), 1)
