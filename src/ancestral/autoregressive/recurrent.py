"""Recurrent language models: Elman's network, the GRU and the LSTM."""

from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from ancestral.autoregressive.token_chain import Objective, TokenChain
from ancestral.nn.key_value_cache import RowLengths, checked_counts

Cell: TypeAlias = Literal["elman", "gru", "lstm"]
"""``elman``: ``h_t = tanh(A x_t + B h_{t-1} + d)``; ``gru`` and ``lstm`` have gates."""

_CELLS: dict[str, type[nn.RNN | nn.GRU | nn.LSTM]] = {
    "elman": nn.RNN,
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}


class RecurrentState(RowLengths):
    """What B rows carried after each of their tokens: so any of them can be gone back to.

    Args:
        data: After 0, 1, ..., C tokens, the output of each layer and the LSTM's cells beside it,
            [L, K, B, C + 1, D]; K is 2 for the LSTM, else 1. After 0 tokens it is 0.
        lengths: Tokens that each row has read, int64 [B] on the CPU.

    Example:
        >>> state = RecurrentState(torch.zeros(1, 1, 3, 17, 8), torch.zeros(3, dtype=torch.int64))
        >>> state.room, state.select(torch.tensor([2, 2])).carried.shape
        (16, torch.Size([1, 1, 2, 8]))
    """

    def __init__(self, data: Tensor, lengths: Tensor) -> None:
        super().__init__(lengths)
        self.data = data

    @property
    def room(self) -> int:
        """Return how many tokens a row can hold, C."""
        return self.data.shape[3] - 1

    @property
    def carried(self) -> Tensor:
        """Return what the rows carry now, [L, K, B, D]."""
        places = self._lengths.to(self.data.device)
        return self.data[:, :, torch.arange(len(places), device=places.device), places]

    def write(self, path: Tensor, counts: Tensor) -> None:
        """Read tokens that led along a path.

        Args:
            path: What is carried after each token, [L, K, B, S, D].
            counts: How many of the S tokens are real, int64 [B].
        """
        row, step = (torch.arange(path.shape[3]) < counts[:, None]).nonzero(as_tuple=True)
        self.data[:, :, row, self._lengths[row] + 1 + step] = path[:, :, row, step]
        self._lengths.add_(counts)

    def select(self, rows: Tensor) -> "RecurrentState":
        """Return a copy of the rows at positions int64 [R], in that order; rows may repeat."""
        lengths = self._lengths[rows.cpu()]
        used = 1 + (int(lengths.max()) if len(lengths) else 0)
        layers, kinds, _, places, width = self.data.shape
        data = self.data.new_zeros(layers, kinds, len(lengths), places, width)
        data[..., :used, :] = self.data[..., :used, :].index_select(2, rows.to(self.data.device))
        return RecurrentState(data, lengths)

    def first(self, rows: int) -> "RecurrentState":
        """Return the first rows as a view: what is read into it is read into this state."""
        return RecurrentState(self.data[:, :, :rows], self._lengths[:rows])

    def put(self, rows: Tensor, other: "RecurrentState") -> None:
        """Write all rows of ``other`` over the rows at positions int64 [R].

        Raises:
            ValueError: If a row of ``other`` is longer than this state has room for.
        """
        self.check_room(other.lengths, self.room)
        used = int(other.lengths.max()) if len(other.lengths) else 0
        where = rows.to(self.data.device)
        self.data[:, :, where, : used + 1] = other.data[..., : used + 1, :]
        self._lengths[rows.cpu()] = other.lengths


class RecurrentLM(TokenChain):
    """A network that carries a vector from token to token; a linear head reads it.

    With the defaults it is the book's: at V = 60,198 it has 46,587,942 parameters (torch's cells
    have two biases where the formula has one).

    Source: Elman 1990, Finding structure in time; Cho et al. 2014, arXiv:1406.1078 (GRU);
    Hochreiter & Schmidhuber 1997, Long short-term memory.

    Args:
        vocabulary: Number V of tokens; the last four are the special ones.
        cell: What is computed at each token.
        width: Features D of embeddings and of what is carried, at least 1.
        layers: Cells above one another, L, at least 1.
        dropout: Of embeddings and outputs of cells in training, in [0, 1).
        objective: What is averaged in training.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = RecurrentLM(100, cell="lstm", width=32, layers=2)
        >>> model(torch.zeros(2, 16, dtype=torch.int64)).shape
        torch.Size([2, 16, 100])
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        cell: Cell = "elman",
        width: int = 384,
        layers: int = 1,
        dropout: float = 0.0,
        objective: Objective = "tokens",
    ) -> None:
        super().__init__(vocabulary, window=None, objective=objective)
        if cell not in _CELLS:
            raise ValueError(f"cell must be one of {', '.join(_CELLS)}, got {cell!r}")
        if min(width, layers) < 1:
            raise ValueError(f"width and layers must be at least 1, got {width} and {layers}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        self.cell, self.width = cell, width
        self.tokens = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(_CELLS[cell](width, width) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, vocabulary)

    def unembedding(self) -> tuple[Tensor, Tensor | None]:
        """Return matrix [V, D] and bias [V] of the head."""
        return self.output.weight, self.output.bias

    def features(self, tokens: Tensor) -> Tensor:
        """Return the output [B, T, D] of the last layer after each of the tokens [B, T].

        A BOS begins a new document: nothing is carried into it. PAD may only follow the last token.

        Raises:
            ValueError: If a token lies outside [0, V).
        """
        tokens = self._checked(tokens)
        begins = self._begins(tokens)
        if begins is None:
            return self._outputs(tokens)
        # Documents become rows of their own, so that all run at once.
        document = begins.flatten().cumsum(0) - 1
        places = torch.arange(tokens.numel(), device=tokens.device)
        place = places - places[begins.flatten()][document]
        rows = tokens.new_full((int(document[-1]) + 1, int(place.max()) + 1), self.special.pad)
        rows[document, place] = tokens.flatten()
        return self._outputs(rows)[document, place].reshape(*tokens.shape, -1)

    def start(self, rows: int, *, length: int) -> RecurrentState:
        """Return a state that has read nothing, with room for ``length`` tokens a row.

        Raises:
            ValueError: If ``length`` is below 1.
        """
        if length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        sizes = (len(self.layers), 1 + (self.cell == "lstm"), rows, length + 1, self.width)
        data = torch.zeros(sizes, dtype=self.output.weight.dtype, device=self.output.weight.device)
        return RecurrentState(data, torch.zeros(rows, dtype=torch.int64))

    @torch.no_grad()
    def advance(
        self, tokens: Tensor, state: RecurrentState, *, counts: Tensor | None = None
    ) -> Tensor:
        """Read tokens [B, S] into the state, and return the outputs after each, [B, S, D].

        As :class:`~ancestral.capabilities.LanguageModel` says; no gradient flows through a state.
        """
        tokens = self._checked(tokens)
        if len(tokens) != len(state.lengths):
            raise ValueError(f"the state has {len(state.lengths)} rows, got {len(tokens)}")
        real = checked_counts(counts, *tokens.shape)
        state.check_room(state.lengths + real, state.room)
        x, paths = self.dropout(self.tokens(tokens)), []
        for cell, carried in zip(self.layers, state.carried, strict=True):
            paths.append(self._path(cell, x, carried))
            x = self.dropout(paths[-1][0])
        state.write(torch.stack(paths), real)
        return x

    def _outputs(self, tokens: Tensor) -> Tensor:
        x = self.dropout(self.tokens(tokens))
        for cell in self.layers:
            x = self.dropout(_run(cell, x))
        return x

    def _path(self, cell: nn.Module, x: Tensor, carried: Tensor) -> Tensor:
        """Return what one layer carries after each token, [K, B, S, D], from carried [K, B, D]."""
        if self.cell != "lstm":
            return _run(cell, x, carried)[None]
        steps = []  # torch's kernel returns the cells of the last token only.
        weights: Any = [cell.get_parameter(f"{name}_l0") for name in _WEIGHTS]
        output, memory = carried.unbind()
        for step in x.unbind(1):
            output, memory = torch.lstm_cell(step, (output, memory), *weights)
            steps.append(torch.stack((output, memory)))
        return torch.stack(steps, 2) if steps else carried[:, :, None, :].expand(-1, -1, 0, -1)


def _run(cell: nn.Module, x: Tensor, carried: Tensor | None = None) -> Tensor:
    """Return the outputs of a layer, [B, S, D], for x [B, S, D] and what is carried in, [1, B, D].

    Of what lies in the order that a product wants, torch makes the same products whether or not the
    weights want gradients: so freezing a layer, as adapters do, changes no bit.
    """
    outputs = cell(x.transpose(0, 1).contiguous(), carried)[0]
    return outputs.transpose(0, 1).contiguous()


_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
