"""Evaluate a language model on held-out documents."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr
from torch import Generator, Tensor

from ancestral.capabilities import Infills, LanguageModel, Samples, SpecialTokens
from ancestral.data.text import Corpus, Documents, Spelling
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.bench import Bench, Progress
from ancestral.evaluation.drawing import device_of, generator_of
from ancestral.evaluation.figures import Figure, Kind
from ancestral.evaluation.measures.estimate import Estimate, ratio_of
from ancestral.evaluation.result import Evaluation
from ancestral.evaluation.setting import Setting
from ancestral.evaluation.text.distinct import distinct_pairs
from ancestral.evaluation.text.likelihood import document_bounds, token_log_probs
from ancestral.evaluation.text.memorised import LEAST, Memory, memorised_fraction
from ancestral.evaluation.text.passages import Passage, Passages, most_copied, passage
from ancestral.evaluation.text.pictures import pictures_of
from ancestral.networks.units import InDataUnits

SCORED = 200_000
"""Tokens of held-out documents that are scored; whole documents, in a random order."""

TEXTS = 100
"""Texts generated, and stretches of held-out documents that they are compared with."""

SHOWN = 8

_MEANS: dict[Kind, str] = {
    "exact": "log-probability",
    "bound": "lower bound on the log-probability",
}


class Texts(Bench):
    """Tokens: code lengths of held-out documents, and at most 100 texts to read."""

    likelihoods = ("bits_per_char",)

    @cached_property
    def memory(self) -> Memory:
        """The training documents, as they are searched for copies."""
        return Memory(self.data.text.train.tokens.numpy())

    def measure(self, model: InDataUnits, attempts: Attempts, tell: Progress) -> Evaluation:
        """Take every figure of a language model."""
        setting = self.setting
        tell("held-out likelihood", 0.0)
        figures, texts = _likelihoods(model, self.data.text, setting, attempts)
        figures |= {"distinct_2": None, "memorised_fraction": None}
        tell("generating", 0.4)
        n = min(TEXTS, setting.samples)
        drawn = attempts("samples", lambda: _generate(model, n, setting.seed))
        tell("memorisation", 0.8)
        passages = None
        if drawn and (measured := attempts("memorisation", lambda: self._variety(drawn))):
            figures |= measured[0]
            passages = measured[1]
            texts |= _definitions(len(drawn))
        told = {name: texts[name] for name in figures if name in texts}
        return Evaluation(figures=figures, passages=passages, definitions=told)

    @torch.no_grad()
    def show(self, model: InDataUnits) -> Evaluation:
        """Return a few generated texts, copies marked."""
        attempts = Attempts()

        def found() -> Passages:
            made = self._passages(_generate(model, SHOWN, self.setting.seed))
            return Passages(made, most_copied(made), (), self.memory.least)

        passages = attempts("no samples", found) if model.can(Samples) else None
        return Evaluation(passages=passages, notes=tuple(attempts.notes))

    def facts(self) -> list[tuple[str, str]]:
        """Return the tokenizer."""
        tokenizer = self.data.text.tokenizer
        return [("tokenizer", f"{tokenizer.kind}, {tokenizer.vocabulary:,} tokens")]

    def held_out(self) -> str:
        """Return how many documents judge."""
        return f"{len(self.data.text.test):,} texts"

    def pictures(self, model: InDataUnits) -> tuple[tuple[str, str], ...]:
        """Return what a model expects next, and what it looks at."""
        return pictures_of(model, self.data)

    def _passages(self, texts: Sequence[NDArray[np.int64]]) -> tuple[Passage, ...]:
        return tuple(passage(text, self.memory, self.data.text.tokenizer) for text in texts)

    def _variety(
        self, drawn: list[NDArray[np.int64]]
    ) -> tuple[dict[str, Figure | None], Passages | None]:
        """Return how varied and how copied the texts are, beside as much human text."""
        corpus = self.data.text
        human = _human(corpus, [len(text) for text in drawn])
        decode = corpus.tokenizer.decode
        pairs, real = (
            distinct_pairs([decode(text.tolist()) for text in texts]) for texts in (drawn, human)
        )
        figures: dict[str, Figure | None] = {
            "distinct_2": (
                None if pairs is None else Figure(pairs, None, "share", "estimate", floor=real)
            ),
            "memorised_fraction": None,
        }
        if not len(corpus.train):  # It is not known what the model was trained on.
            return figures, None
        figures["memorised_fraction"] = _memorised(self.memory, drawn, human)
        made, copied = self._passages(drawn), most_copied(self._passages(human))
        return figures, Passages(made[:SHOWN], most_copied(made), copied, self.memory.least)


def _likelihoods(
    model: InDataUnits, corpus: Corpus, setting: Setting, attempts: Attempts
) -> tuple[dict[str, Figure | None], dict[str, str]]:
    """Return the figures of code length, and what each is."""
    whole, kind = ("log_prob", "exact") if model.can(LanguageModel) else ("elbo", "bound")
    names = ("log_prob", whole, "perplexity", "bits_per_char", "bits_per_byte")
    figures: dict[str, Figure | None] = dict.fromkeys(names)
    chosen = _chosen_documents(corpus.test, setting.seed)
    scores = attempts(whole, lambda: _score(model, corpus, chosen, setting.seed))
    if scores is None:
        return figures, {}
    lengths = (corpus.test.sizes - 1)[chosen].double()
    nats = -scores
    bits = nats / math.log(2)
    tokens = ratio_of(nats, lengths)
    figures |= {
        whole: Figure.of(ratio_of(scores, torch.ones_like(scores)), "nats", kind),
        "perplexity": _exponential(tokens, kind),
    }
    sizes = {"bits_per_char": corpus.test.characters, "bits_per_byte": corpus.test.bytes}
    for name, size in sizes.items():
        figures[name] = Figure.of(ratio_of(bits, size[chosen].double()), "bits", kind)
    if len(chosen) < 2:  # The error is that of documents: of one there is none.
        figures = {name: one and replace(one, se=None) for name, one in figures.items()}
    many = "" if len(chosen) == 1 else "s"
    n = f"{len(chosen):,} held-out document{many}, {int(lengths.sum()):,} tokens with their ends"
    n += _unknown(corpus, chosen)
    return figures, {
        whole: f"Mean {_MEANS[kind]} of a document; {n}.",
        "perplexity": f"Of a token; {n}.",
        "bits_per_char": f"Comparable across tokenizers; {n}.",
        "bits_per_byte": f"Comparable across tokenizers; {n}.",
    }


def _score(model: InDataUnits, corpus: Corpus, chosen: Tensor, seed: int) -> Tensor:
    """Return log p of each document, or a bound, the spelling of its unknown words included."""
    network, documents = model.network, corpus.test
    streams = [documents.ids(int(i)).to(device_of(model)) for i in chosen]
    if isinstance(network, LanguageModel):
        found = torch.stack([token_log_probs(network, ids).sum() for ids in streams]).cpu()
    elif isinstance(network, Infills):
        found = document_bounds(network, streams, generator=generator_of(model, seed))
    else:
        raise ValueError(f"{type(network).__name__} gives no probability of a text")
    spelling = Spelling(corpus.tokenizer)
    found -= torch.stack([spelling.document(documents, int(i)).sum() for i in chosen])
    if not bool(found.isfinite().all()):
        bad = int((~found.isfinite()).sum())
        raise ArithmeticError(f"{bad:,} of {len(found):,} test documents have no finite value")
    return found


def _chosen_documents(documents: Documents, seed: int) -> Tensor:
    """Return whole documents in a random order, about ``SCORED`` tokens of them, at least 2."""
    order = torch.randperm(len(documents), generator=Generator().manual_seed(seed))
    enough = int((documents.sizes[order].cumsum(0) < SCORED).sum()) + 1
    return order[: max(2, enough)]


def _unknown(corpus: Corpus, chosen: Tensor) -> str:
    unk = corpus.tokenizer.special.unk
    found = sum(int((corpus.test.ids(int(i)) == unk).sum()) for i in chosen)
    words = "characters" if corpus.tokenizer.kind == "character" else "words"
    return f", {found:,} of them unknown {words}, charged their spelling" if found else ""


def _generate(model: InDataUnits, n: int, seed: int) -> list[NDArray[np.int64]]:
    """Return generated texts without special tokens."""
    network = model.network
    if not isinstance(network, LanguageModel | Infills) or not isinstance(network, Samples):
        raise ValueError(f"{type(network).__name__} does not generate tokens")
    drawn = network.sample(n, generator=generator_of(model, seed)).cpu().numpy()
    return [_plain(row, network.vocabulary) for row in drawn]


def _plain(row: NDArray[np.int64], vocabulary: int) -> NDArray[np.int64]:
    """Return a row up to its end, without the special tokens."""
    special = SpecialTokens.of(vocabulary)
    ends = np.flatnonzero(np.isin(row, special.ends))
    row = row[: ends[0]] if len(ends) else row
    return row[row < special.bos]


def _human(corpus: Corpus, lengths: Sequence[int]) -> list[NDArray[np.int64]]:
    """Return stretches of held-out documents of the given lengths, spread over all of them."""
    text = corpus.test.tokens.numpy()
    text = text[text < corpus.tokenizer.special.bos].astype(np.int64)
    total = sum(lengths)
    gap = max(0.0, (len(text) - total) / max(1, len(lengths)))
    found, at = [], 0.0
    for length in lengths:
        found.append(text[int(at) : int(at) + length])
        at += length + gap
    return [one for one in found if len(one)]


def _memorised(
    memory: Memory, drawn: list[NDArray[np.int64]], human: list[NDArray[np.int64]]
) -> Figure:
    """Return the share that is copied, beside that of human text where there is enough."""
    mine = memorised_fraction(memory, drawn)
    if len(human) < 2:
        return Figure.of(mine, "share")
    theirs = memorised_fraction(memory, human)
    # One-sided, of "no more is copied than by humans", by a normal.
    gap, se = mine.value - theirs.value, math.hypot(mine.se, theirs.se)
    p_value = float(ndtr(-gap / se)) if se else float(gap <= 0)
    return Figure.of(replace(mine, p_value=p_value), "share", floor=theirs.value)


def _definitions(texts: int) -> dict[str, str]:
    return {
        "distinct_2": f"Of {texts:,} generated texts, beside as much held-out human text.",
        "memorised_fraction": f"Share of the tokens of {texts:,} generated texts inside stretches "
        f"of at least {LEAST} tokens that stand verbatim in the training documents, beside the "
        "same of as much held-out human text; p is of the hypothesis that no more is copied.",
    }


def _exponential(nats: Estimate, kind: Kind) -> Figure | None:
    if nats.value > 700:  # Its exponential is no number.
        return None
    value = math.exp(nats.value)
    each = None if nats.deviations is None else value * nats.deviations
    return Figure(value, value * nats.se, "", kind, deviations=each)
