"""How surprised a model is by each row, image, label or token: minus log p, in nats."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ancestral.capabilities import Completes, HasDensity, LanguageModel
from ancestral.data.cells import Cells
from ancestral.data.dataset import Examples
from ancestral.data.fields import LABEL
from ancestral.data.text import Documents, Spelling, Tokenizer
from ancestral.evaluation.drawing import device_of, generator_of
from ancestral.evaluation.figures import Kind
from ancestral.evaluation.labels import label_log_probs
from ancestral.evaluation.text import token_log_probs
from ancestral.networks.units import InDataUnits

_CHUNK = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RowScores:
    """Scores of rows or images, greater the stranger.

    Args:
        scores: By name, float64 [N]: ``surprise``, minus log p(x) in nats, and what else the model
            can say, see :mod:`ancestral.evaluation.anomalies`.
        kind: Of the surprise: exact, or a bound: the true surprise is then at most this; a loss
            where there is none.
        cells: Of a mixed table minus log p of each cell given the others of its row, [N, D].
        names: Its columns.
        alarm: Which are above the threshold, bool [N]; None where none was asked for.
        facts: What was found of all of them together.
    """

    scores: Mapping[str, Tensor]
    kind: Kind
    cells: Tensor | None = None
    names: tuple[str, ...] = ()
    alarm: Tensor | None = None
    facts: Mapping[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.scores.values())))

    def columns(self) -> dict[str, list[object]]:
        """Return the table of the scores."""
        found: dict[str, list[object]] = {"row": [*range(len(self))]}
        found |= {name: score.tolist() for name, score in self.scores.items()}
        if self.cells is not None:
            most, at = self.cells.max(dim=1)
            found["cell"] = [self.names[i] for i in at.tolist()]
            found["its_surprise"] = most.tolist()
        if self.alarm is not None:
            found["alarm"] = self.alarm.tolist()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScores:
    """Labels of rows or images under p(label | x).

    Args:
        label: The likeliest label of each, N names.
        probability: Its probability, float64 [N].
        surprise: Minus log p(label | x) of the label that stands in the data, in nats, float64
            [N], infinite for one that the model does not know; None where the data have none.
        kind: What the probabilities are.
    """

    label: tuple[str, ...]
    probability: Tensor
    surprise: Tensor | None
    kind: Kind = "exact"

    def __len__(self) -> int:
        return len(self.label)

    def columns(self) -> dict[str, list[object]]:
        """Return the table of the scores."""
        probability = self.probability.tolist()
        found = {"row": [*range(len(self))], LABEL: [*self.label], "probability": probability}
        return found if self.surprise is None else {**found, "surprise": self.surprise.tolist()}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScores:
    """Surprise of the tokens of documents.

    Args:
        tokens: Of each document the pieces in order; the last one is its end, ``<EOS>``.
        surprise: Of each document minus log p of each piece given those before it, of ``<UNK>``
            with the spelling of what stands there, float64 [T].
        kind: What the probabilities are.
    """

    tokens: tuple[tuple[str, ...], ...]
    surprise: tuple[Tensor, ...]
    kind: Kind = "exact"

    def __len__(self) -> int:
        return len(self.tokens)

    def columns(self) -> dict[str, list[object]]:
        """Return the table of the scores."""
        return {
            "document": [number for number, some in enumerate(self.tokens) for _ in some],
            "token": [token for some in self.tokens for token in some],
            "surprise": [value for some in self.surprise for value in some.tolist()],
        }


@torch.no_grad()
def row_surprise(model: InDataUnits, examples: Examples, *, seed: int = 0) -> RowScores:
    """Return the surprise of every example; labels are summed out, so that models compare.

    Args:
        model: With a density or a bound, in the units of the examples.
        examples: With what the model takes as given.
        seed: Of the noise of a bound.
    """
    device, noise = device_of(model), generator_of(model, seed)
    measure = model.log_prob if model.can(HasDensity) else model.elbo
    whole = model.can(Completes) and isinstance(model.transform, Cells)
    parts, cells = [], []
    for start in range(0, len(examples), _CHUNK):
        part = examples[start : start + _CHUNK]
        given = {name: v.to(device) for name, v in part.given.items() if name != LABEL}
        known = model.taken(given)
        parts.append(-measure(part.x.to(device), given=known, generator=noise).double().cpu())
        if whole:
            cells.append(-model.cell_log_probs(part.x.to(device)).cpu())
    exact = model.can(HasDensity) and model.exact
    return RowScores(
        scores={"surprise": torch.cat(parts)},
        kind="exact" if exact else "bound",
        cells=torch.cat(cells) if cells else None,
        names=model.table.field.names if cells else (),
    )


def label_surprise(
    model: InDataUnits,
    examples: Examples,
    *,
    names: tuple[str, ...],
    own: tuple[str, ...],
    seed: int = 0,
) -> LabelScores:
    """Return the likeliest label of every example, and the surprise at its own.

    Args:
        model: Of p(label | x), in the units of the examples.
        examples: Their labels are numbered as in ``own``.
        names: Labels that the model knows.
        own: Labels of the examples; empty where they have none.
        seed: Of the noise of a transform that adds some.
    """
    logits = label_log_probs(model, examples, seed=seed)
    log_p, said = logits.max(dim=1)
    surprise = None
    if own:
        place = {name: index for index, name in enumerate(names)}
        column = torch.tensor([place.get(name, len(names)) for name in own])
        # One column more, of probability 0, for labels that the model does not know.
        padded = torch.nn.functional.pad(logits, (0, 1), value=-math.inf)
        surprise = -padded.gather(1, column[examples.given[LABEL]][:, None])[:, 0]
    label = tuple(names[int(i)] for i in said)
    return LabelScores(label=label, probability=log_p.exp(), surprise=surprise)


@torch.no_grad()
def token_surprise(
    model: LanguageModel, tokenizer: Tokenizer, documents: Documents, *, device: str = "cpu"
) -> TokenScores:
    """Return the surprise of every token of every document; unknown words are spelled."""
    ids, spelling = [documents.ids(index) for index in range(len(documents))], Spelling(tokenizer)
    return TokenScores(
        tokens=tuple(tuple(map(tokenizer.token, some[1:].tolist())) for some in ids),
        surprise=tuple(
            spelling.document(documents, index) - token_log_probs(model, some.to(device)).cpu()
            for index, some in enumerate(ids)
        ),
    )
