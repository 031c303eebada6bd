"""Rows of strangers that a model reads side by side, so that none depends on its neighbours."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ancestral.autoregressive.decoding.reader import on_cpu
from ancestral.capabilities import LanguageModel, TokenState

ROWS = 4
"""Rows of a group. It is fixed: the last bits of a row depend on how many are multiplied together,
and neither on which of them it is nor on what the others hold."""


class RowGroup:
    """A fixed number of rows, in use or not, of which some read a token at a time.

    Args:
        model: Reads.
        room: Tokens that a row can hold.

    Example:
        >>> from ancestral.classic.chains.language import NGramLanguageModel
        >>> model = NGramLanguageModel(6, order=2).fit(torch.tensor([[2, 0, 1, 0, 1, 3]]))
        >>> group = RowGroup(model, room=16)
        >>> group.read({2: 0}).shape  # The third row reads; what the others tell means nothing.
        torch.Size([4, 6])
    """

    def __init__(self, model: LanguageModel, *, room: int) -> None:
        self._model = model
        self._state = model.start(ROWS, length=room)

    def put(self, row: int, state: TokenState) -> None:
        """Let a row go on from a state of one row."""
        self._state.put(torch.tensor([row]), state)

    def clear(self, row: int) -> None:
        """Forget all that a row holds."""
        self.put(row, self._model.start(1, length=1))

    def read(self, tokens: Mapping[int, int]) -> Tensor:
        """Read one token of some rows; return the logits of the next of all, [R, V], on the CPU."""
        line = torch.zeros(ROWS, 1, dtype=torch.int64)
        counts = torch.zeros(ROWS, dtype=torch.int64)
        for row, token in tokens.items():
            line[row, 0], counts[row] = token, 1
        features = self._model.advance(line, self._state, counts=counts)
        return on_cpu(self._model.head(features[:, 0]))
