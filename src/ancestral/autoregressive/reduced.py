"""A copy of a language model with weights of eight bits, for generation."""

from torch import Tensor

from ancestral.autoregressive.token_chain import TokenChain
from ancestral.capabilities import TokenState
from ancestral.nn.int8 import Int8Linear, in_int8


class Int8LanguageModel:
    """A language model whose linear layers and head have weights of eight bits.

    Reading the weights is most of what a token costs at batch 1, so it is faster; it is not the
    same model: its logits differ by about 1% of their spread. It cannot be trained.

    Args:
        model: A GPT or a recurrent model; it is copied. Recurrent layers stay as they are.

    Example:
        >>> import torch
        >>> from ancestral.autoregressive import GPT, GPTShape
        >>> model = Int8LanguageModel(GPT(50, shape=GPTShape(window=16, width=32, heads=4)))
        >>> model.head(model.features(torch.zeros(2, 3, dtype=torch.int64))).shape
        torch.Size([2, 3, 50])
    """

    def __init__(self, model: TokenChain) -> None:
        self._head = Int8Linear(*model.unembedding())
        self._model = in_int8(model)
        self.vocabulary, self.window = model.vocabulary, model.window

    def features(self, tokens: Tensor) -> Tensor:
        """Return the features [B, T, D] after each of the tokens [B, T]."""
        return self._model.features(tokens)

    def head(self, features: Tensor) -> Tensor:
        """Return the logits [*, V] of the next token, for features [*, D]."""
        return self._head(features)

    def start(self, rows: int, *, length: int) -> TokenState:
        """Return a state that has read nothing, with room for ``length`` tokens a row."""
        return self._model.start(rows, length=length)  # pyright: ignore[reportCallIssue]

    def advance(self, tokens: Tensor, state: TokenState, *, counts: Tensor | None = None) -> Tensor:
        """Read tokens [B, S] into the state, and return the features after each, [B, S, D]."""
        return self._model.advance(tokens, state, counts=counts)  # pyright: ignore[reportCallIssue]
