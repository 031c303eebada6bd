"""Rows of strangers that a model reads side by side, so that none depends on its neighbours."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ancestral.autoregressive.decoding.reader import on_cpu, reading
from ancestral.capabilities import LanguageModel, TokenState

MOST = 16
"""Rows of a group, at most. A step of the book's GPT took 12 ms for one row, 16 for 3, 24 for 4, 34
for 8 and 29 for 16: products have kernels for up to 3 rows, and from 16 on. Groups of 16 give the
most tokens; a job that is alone takes twice as long as it would in a group of one, which it gets
with one slot."""


class RowGroup:
    """A fixed number of rows, of which the first are in use and read a token at a time.

    The last bits of a row depend on how many rows are multiplied together: so all rows take part,
    in use or not. That they depend neither on which of them it is nor on what the others hold is
    true of most products on most processors; :func:`rows_together` tells.
    """

    def __init__(self, model: LanguageModel, rows: int, *, room: int) -> None:
        self._model, self._rows = model, rows
        self._state = model.start(rows, length=room)

    def put(self, row: int, state: TokenState) -> None:
        """Let a row go on from a state of one row."""
        self._state.put(torch.tensor([row]), state)

    def take(self, row: int) -> TokenState:
        """Return a copy of what a row holds."""
        return self._state.select(torch.tensor([row]))

    def clear(self, row: int) -> None:
        """Forget all that a row holds."""
        self.put(row, self._model.start(1, length=1))

    def read(self, tokens: Sequence[int]) -> Tensor:
        """Read one token of each of the first R rows; return the logits of the next, [R, V]."""
        line = torch.zeros(self._rows, 1, dtype=torch.int64)
        line[: len(tokens), 0] = torch.tensor(tokens)
        counts = (torch.arange(self._rows) < len(tokens)).to(torch.int64)
        features = self._model.advance(line, self._state, counts=counts)
        return on_cpu(self._model.head(features[:, 0]))[: len(tokens)]


def rows_together(model: LanguageModel, rows: int) -> int:
    """Return how many rows a group can have so that none depends on its place and neighbours.

    It is measured: products of some sizes sum the first and last rows in another order on some
    processors or with some numbers of threads. Return ``rows``, as many as are wanted, or
    :data:`MOST` if that many hold where ``rows`` do not, or 1, which always does.
    """
    sizes = [rows, MOST] if rows < MOST else [rows]
    with reading(model):
        return next((size for size in sizes if size == 1 or _holds(model, size)), 1)


def _holds(model: LanguageModel, rows: int) -> bool:
    """Return whether two tokens have the same bits in each place, alone and beside each other."""
    pairs = [[row % 2 for row in range(start, start + rows)] for start in (0, 1)]
    alone: dict[int, Tensor] = {}
    for tokens in ([0], [1], *pairs):
        logits = RowGroup(model, rows, room=1).read(tokens)
        for token, found in zip(tokens, logits, strict=True):
            if not torch.equal(alone.setdefault(token, found), found):
                return False
    return True
