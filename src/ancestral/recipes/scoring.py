"""How surprised a run is: by each row of a table, each image, or each token of a text."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Classifies, HasBound, HasDensity, LanguageModel
from ancestral.data.fields import LABEL
from ancestral.data.text import tokenise_documents
from ancestral.errors import CapabilityError
from ancestral.evaluation.figures import Kind
from ancestral.evaluation.labels import label_log_probs
from ancestral.evaluation.text import token_log_probs
from ancestral.recipes.answers import Answer, rows_answer
from ancestral.recipes.paths import examples_for
from ancestral.recipes.runs import Run
from ancestral.training.order import seed_of

_CHUNK = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RowScores:
    """Surprise of rows or images.

    Args:
        surprise: Minus log p(x) of each, in nats, float64 [N].
        kind: Exact, or a bound: the true surprise is then at most this.
    """

    surprise: Tensor
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelScores:
    """Labels of rows or images under p(label | x).

    Args:
        label: The likeliest label of each, N names.
        probability: Its probability, float64 [N].
        surprise: Minus log p(label | x) of the label that stands in the data, in nats, float64
            [N], infinite for one that the model does not know; None where the data have none.
    """

    label: tuple[str, ...]
    probability: Tensor
    surprise: Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScores:
    """Surprise of the tokens of one document.

    Args:
        tokens: The pieces of the text in order; the last one is its end, ``<EOS>``.
        surprise: Minus log p of each given those before it, in nats, float64 [T].
    """

    tokens: tuple[str, ...]
    surprise: Tensor


def rows_scored(run: Run, data: str, *, seed: int, device: str) -> Answer:
    """Return the table of :func:`score_rows`."""
    found = score_rows(run, data, seed=seed, device=device)
    rows = list(enumerate(found.surprise.tolist()))
    return rows_answer(["row", "surprise"], rows, {"kind": found.kind, "n": len(rows)})


def labels_scored(run: Run, data: str, *, seed: int, device: str) -> Answer:
    """Return the table of :func:`score_labels`."""
    found = score_labels(run, data, seed=seed, device=device)
    parts = {"row": range(len(found.label)), LABEL: found.label}
    parts["probability"] = found.probability.tolist()
    if found.surprise is not None:
        parts["surprise"] = found.surprise.tolist()
    rows = list(zip(*parts.values(), strict=True))
    return rows_answer([*parts], rows, {"kind": "exact", "n": len(rows)})


def tokens_scored(run: Run, data: str, *, seed: int, device: str) -> Answer:
    """Return the table of :func:`score_text`, in which nothing is random."""
    del seed
    documents = score_text(run, data, device=device)
    rows = [
        (number, token, surprise)
        for number, document in enumerate(documents)
        for token, surprise in zip(document.tokens, document.surprise.tolist(), strict=True)
    ]
    facts = {"kind": "exact", "n": len(documents)}
    return rows_answer(["document", "token", "surprise"], rows, facts)


@torch.no_grad()
def score_rows(
    run: Run | str | Path, data: str, *, seed: int = 0, device: str = "cpu"
) -> RowScores:
    """Return the surprise of every example of DATA, in the order of the file.

    Args:
        run: The run, or its folder.
        data: A name, a file or a folder.
        seed: Of the noise of a bound.
        device: Where to compute.

    Raises:
        CapabilityError: If the model has neither density nor bound.
        RunError: If the data do not fit the run.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    units = run.model(device=device)
    if not (units.can(HasDensity) or units.can(HasBound)):
        raise CapabilityError(f"{run.record.model} has no density and no bound to score with")
    examples, _ = examples_for(run, data)
    generator = Generator(device).manual_seed(seed_of(seed, "score"))
    measure = units.log_prob if units.can(HasDensity) else units.elbo
    parts = []
    for start in range(0, len(examples), _CHUNK):
        part = examples[start : start + _CHUNK]
        # A label is summed out: models with and without one compare.
        given = {name: v.to(device) for name, v in part.given.items() if name != LABEL}
        x, known = part.x.to(device), units.taken(given)
        parts.append(-measure(x, given=known, generator=generator).double().cpu())
    exact = units.can(HasDensity) and units.exact
    return RowScores(surprise=torch.cat(parts), kind="exact" if exact else "bound")


def score_labels(
    run: Run | str | Path, data: str, *, seed: int = 0, device: str = "cpu"
) -> LabelScores:
    """Return the likeliest label of every example of DATA, in the order of the file.

    Args:
        run: The run, or its folder.
        data: A name, a file or a folder; a table need not have the column of the label.
        seed: Of the noise of a transform that adds some.
        device: Where to compute.

    Raises:
        CapabilityError: If the model gives no labels.
        RunError: If the data do not fit the run.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    units = run.model(device=device)
    names = run.record.data.labels
    if not units.can(Classifies) or not names:
        raise CapabilityError(f"{run.record.model} in {run.folder} gives no labels")
    examples, own = examples_for(run, data)
    logits = label_log_probs(units, examples, seed=seed_of(seed, "score"))
    log_p, said = logits.max(dim=1)
    surprise = None
    if own:
        place = {name: index for index, name in enumerate(names)}
        column = torch.tensor([place.get(name, len(names)) for name in own])
        # One column more, of probability 0, for labels that the model does not know.
        padded = torch.nn.functional.pad(logits, (0, 1), value=-math.inf)
        surprise = -padded.gather(1, column[examples.given[LABEL]][:, None])[:, 0]
    return LabelScores(
        label=tuple(names[i] for i in said.tolist()), probability=log_p.exp(), surprise=surprise
    )


@torch.no_grad()
def score_text(run: Run | str | Path, data: str, *, device: str = "cpu") -> list[TokenScores]:
    """Return the surprise of every token of every document of a text.

    Args:
        run: The run, or its folder.
        data: A text file, or a folder of text files.
        device: Where to compute.

    Raises:
        RunError: If the run is not of text.
        DataError: If the text cannot be read.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    tokenizer = run.tokenizer()
    model = run.model(device=device).model
    if not isinstance(model, LanguageModel):
        raise CapabilityError(f"{run.record.model} does not predict tokens")
    documents = tokenise_documents(
        Path(data), tokenizer, documents=run.record.data.loading.text.documents
    )
    found = []
    for index in range(len(documents)):
        ids = documents.ids(index)
        surprise = -token_log_probs(model, ids.to(device)).cpu()
        found.append(
            TokenScores(
                tokens=tuple(tokenizer.token(i) for i in ids[1:].tolist()), surprise=surprise
            )
        )
    return found
