"""The prior over codes: any language model of this library, one code after another."""

from collections.abc import Sequence

import torch
from torch import Generator, Size, Tensor, nn
from torch.distributions import Categorical, Distribution

from ancestral.capabilities import LanguageModel
from ancestral.networks.sampling import draw


class CodeSequence(Distribution):
    """The law of M codes by a language model that has read a first token; an exact one.

    Only the codes share the probability: the model's other tokens have none.

    Args:
        model: Reads tokens.
        first: The first token, int64 [*B].
        length: Number M of codes.
        codes: Number K of codes; they are the first tokens of the vocabulary.
    """

    arg_constraints = {}  # noqa: RUF012 # pyright: ignore - torch's own
    has_rsample = False

    def __init__(self, model: LanguageModel, first: Tensor, *, length: int, codes: int) -> None:
        self.model, self.first, self.codes = model, first, codes
        super().__init__(first.shape, Size((length,)), validate_args=False)

    def expand(
        self, batch_shape: Sequence[int], _instance: Distribution | None = None
    ) -> "CodeSequence":
        """Return the same for more rows."""
        first, (length,) = self.first.expand(tuple(batch_shape)), self.event_shape
        return CodeSequence(self.model, first, length=length, codes=self.codes)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the exact log-probability of codes [*sample, *B, M], nats."""
        lead = value.shape[:-1]
        rows = value.reshape(-1, value.shape[-1])
        first = self.first.expand(lead).reshape(-1, 1)
        read = torch.cat((first, rows[:, :-1]), dim=1)
        logits = self.model.head(self.model.features(read))[..., : self.codes].float()
        found = logits.log_softmax(-1).gather(-1, rows[..., None])
        return found.sum(dim=(1, 2)).view(lead)

    @torch.no_grad()
    def draw(self, shape: Size, generator: Generator | None) -> Tensor:
        """Return codes, int64 [*shape, *B, M]."""
        (length,) = self.event_shape
        lead = shape + self.batch_shape
        token = self.first.expand(lead).reshape(-1, 1)
        state = self.model.start(len(token), length=length)
        found = []
        for _ in range(length):
            logits = self.model.head(self.model.advance(token, state))[:, -1, : self.codes]
            law = Categorical(logits=logits.float(), validate_args=False)
            token = draw(law, (), generator)[:, None]
            found.append(token)
        return torch.cat(found, dim=1).view(*lead, length)


class CodePrior(nn.Module):
    """p(codes) or p(codes | label): the tokens after the K codes are the labels, or one for none.

    Args:
        model: A language model whose window has room for M tokens and whose vocabulary for the
            codes, the labels and the four special tokens.
        length: Number M of codes.
        codes: Number K of codes.
        classes: Number of labels; 0 for none.

    Raises:
        ValueError: If the vocabulary has another size.
    """

    _first: Tensor

    def __init__(self, model: nn.Module, *, length: int, codes: int, classes: int = 0) -> None:
        super().__init__()
        needed = codes + max(classes, 1) + 4
        found = model.vocabulary if isinstance(model, LanguageModel) else None
        if found != needed:
            raise ValueError(f"the prior must be a language model of {needed} tokens, got {found}")
        self.model, self.length, self.codes = model, length, codes
        self.register_buffer("_first", torch.tensor(codes), persistent=False)

    def forward(self, *label: Tensor) -> CodeSequence:
        """Return the law of the codes, batch shape that of the label, or none."""
        first = self._first + label[0] if label else self._first
        assert isinstance(self.model, LanguageModel)
        return CodeSequence(self.model, first, length=self.length, codes=self.codes)
