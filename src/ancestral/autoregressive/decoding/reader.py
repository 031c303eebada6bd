"""A batch of rows that a language model reads token by token, past its window where it must."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ancestral.capabilities import LanguageModel, TokenState
from ancestral.errors import DataError


class Reader:
    """Rows of tokens of any lengths, read by a model into one state with room for so many more.

    Equal prompts are read once. A row that fills the model's window is read again from its last
    tokens on, a share ``keep`` of the window, so a row never ends for want of room: the model
    forgets what came before. Raises DataError as :func:`check_prompts` does.
    """

    def __init__(
        self,
        model: LanguageModel,
        prompts: Sequence[Sequence[int]],
        *,
        room: int,
        keep: float = 0.5,
    ) -> None:
        check_prompts(model, prompts)
        self.model = model
        self.tokens = [list(prompt) for prompt in prompts]
        longest = max(map(len, prompts))
        window = model.window
        self._length = longest + room if window is None else min(longest + room, window)
        self._keep = self._length if window is None else kept(window, keep)
        self._held = [len(prompt) for prompt in prompts]
        unique = {tuple(prompt): None for prompt in prompts}
        place = {prompt: i for i, prompt in enumerate(unique)}
        with reading(model):
            self.state, self.features = self._read_anew(list(unique))
            if len(unique) < len(prompts):
                rows = torch.tensor([place[tuple(prompt)] for prompt in prompts])
                self.state, self.features = self.state.select(rows), self.features[rows]

    def logits(self) -> Tensor:
        """Return the logits of each row's next token, [B, V], float32 at least, on the CPU."""
        with reading(self.model):
            return on_cpu(self.model.head(self.features))

    def read(self, tokens: Sequence[int]) -> None:
        """Read one more token of each row."""
        for row, token in zip(self.tokens, tokens, strict=True):
            row.append(token)
        full = [row for row, held in enumerate(self._held) if held == self._length]
        with reading(self.model):
            if full:
                self._slide(full)
            counts = None
            if full:
                counts = torch.ones(len(tokens), dtype=torch.int64)
                counts[full] = 0
            if len(full) < len(tokens):
                slid = self.features
                read = self.model.advance(torch.tensor(tokens)[:, None], self.state, counts=counts)
                self.features = read[:, -1]
                if full:
                    self.features[full] = slid[full]
        for row in range(len(tokens)):
            self._held[row] += row not in full

    def select(self, rows: Sequence[int]) -> None:
        """Keep the rows at these places, in that order; a place may come more than once."""
        at = torch.tensor(rows, dtype=torch.int64)
        with reading(self.model):
            self.state, self.features = self.state.select(at), self.features[at]
        self.tokens = [self.tokens[row].copy() for row in rows]
        self._held = [self._held[row] for row in rows]

    def _slide(self, rows: list[int]) -> None:
        tails = [self.tokens[row][-self._keep - 1 :] for row in rows]
        state, features = self._read_anew(tails)
        self.state.put(torch.tensor(rows), state)
        self.features = self.features.clone()
        self.features[rows] = features
        for row, tail in zip(rows, tails, strict=True):
            self._held[row] = len(tail)

    def _read_anew(self, rows: Sequence[Sequence[int]]) -> tuple[TokenState, Tensor]:
        state = self.model.start(len(rows), length=self._length)
        lengths = torch.tensor([len(row) for row in rows])
        tokens = torch.zeros(len(rows), int(lengths.max()), dtype=torch.int64)
        for line, row in zip(tokens, rows, strict=True):
            line[: len(row)] = torch.tensor(row)
        equal = bool((lengths == tokens.shape[1]).all())
        features = self.model.advance(tokens, state, counts=None if equal else lengths)
        return state, features[torch.arange(len(rows)), lengths - 1]


def kept(window: int, share: float) -> int:
    """Return how many tokens stay of a full window: this share, and one more finds room.

    Example:
        >>> kept(256, 0.5), kept(256, 1.0)
        (128, 255)
    """
    return min(int(share * window), window - 1)


@contextmanager
def reading(model: LanguageModel) -> Iterator[None]:
    """Without gradients and dropout."""
    module = model if isinstance(model, nn.Module) and model.training else None
    if module is not None:
        module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        if module is not None:
            module.train()


def on_cpu(logits: Tensor) -> Tensor:
    """Return logits where and as the rules want them."""
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return wide.detach().cpu().contiguous()


def check_prompts(model: LanguageModel, prompts: Sequence[Sequence[int]]) -> None:
    """Refuse prompts that a model cannot read.

    Raises DataError if there is no prompt, or one is empty, longer than the window, or has a token
    that is not in the vocabulary.
    """
    if not prompts:
        raise DataError("prompts must hold at least one prompt, got none")
    for number, prompt in enumerate(prompts):
        if not len(prompt):
            raise DataError(f"prompts[{number}] must hold at least one token: begin with BOS")
        if model.window is not None and len(prompt) > model.window:
            raise DataError(
                f"prompts[{number}] has {len(prompt)} tokens; the window holds {model.window}"
            )
        least, most = min(prompt), max(prompt)
        if least < 0 or most >= model.vocabulary:
            wrong = least if least < 0 else most
            raise DataError(
                f"prompts[{number}] has token {wrong}; ids must be 0 to {model.vocabulary - 1}"
            )
