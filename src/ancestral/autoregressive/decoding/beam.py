"""Beam search: the most probable texts, not the most probable tokens."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ancestral.autoregressive.decoding.reader import Reader
from ancestral.capabilities import LanguageModel, SpecialTokens
from ancestral.errors import ConfigError
from ancestral.settings import at_least


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A continuation that was found.

    Args:
        tokens: Its ids, the end token included.
        log_prob: Of all of them under the model, nats.
        score: By which it is ranked: ``log_prob / len(tokens) ** length_penalty``.
        ended: Whether it ends with EOS or PAD, rather than for its length.
    """

    tokens: tuple[int, ...]
    log_prob: float
    score: float
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """Settings of a beam search.

    Args:
        beams: B, prefixes that are kept at each length, at least 1; 1 is greedy.
        max_tokens: Most tokens, at least 1.
        length_penalty: Power of the length by which log p is divided; 0 ranks by log p itself,
            which prefers short texts.
        groups: Groups of beams, a divisor of B; each avoids the tokens of those before it.
        diversity: Nats that a token costs for each time that an earlier group takes it in the same
            step, at least 0.

    Raises:
        ConfigError: If a value is outside its range.
    """

    beams: int = 4
    max_tokens: int = 256
    length_penalty: float = 1.0
    groups: int = 1
    diversity: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, beams=1, max_tokens=1, groups=1)
        for name in ("length_penalty", "diversity"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.beams % self.groups:
            raise ConfigError(f"groups must divide the {self.beams} beams, got {self.groups}")


@dataclass(slots=True)
class _Prefix:
    tokens: tuple[int, ...]
    log_prob: float
    place: int = 0


def beam_search(
    model: LanguageModel, prompt: Sequence[int], beam: Beam | None = None
) -> list[Hypothesis]:
    """Return the continuations with the best scores, best first, as many as there are beams.

    Each step keeps, of all continuations of the kept prefixes by one token, the B most probable;
    those that end there leave the beam.

    Source: Vijayakumar et al. 2018, Diverse beam search, arXiv:1610.02424, alg. 1, Hamming
    diversity; with one group it is the usual search.

    Args:
        model: Any language model.
        prompt: Tokens, at least one, at most the window.
        beam: Settings; the defaults if None.

    Raises:
        DataError: If the prompt is empty, too long, or has an unknown token.

    Example:
        >>> from ancestral.classic.chains.language import NGramLanguageModel
        >>> model = NGramLanguageModel(6, order=2).fit(torch.tensor([[2, 0, 1, 3, 2, 0, 1, 3]]))
        >>> beam_search(model, [2], Beam(beams=2, max_tokens=3))[0].tokens
        (0, 1, 3)
    """
    beam = beam or Beam()
    reader = Reader(model, [prompt], room=beam.max_tokens - 1)
    ends = SpecialTokens.of(model.vocabulary).ends
    live = [[_Prefix((), 0.0)] for _ in range(beam.groups)]
    ended: list[list[Hypothesis]] = [[] for _ in range(beam.groups)]
    for length in range(1, beam.max_tokens + 1):
        log_probs = reader.logits().double().log_softmax(-1)
        taken: Counter[int] = Counter()
        for group, prefixes in enumerate(live):
            found = _extend(prefixes, log_probs, taken, beam)
            taken.update(prefix.tokens[-1] for prefix in found)
            done = [prefix for prefix in found if prefix.tokens[-1] in ends]
            ended[group] += [_hypothesis(prefix, beam, ended=True) for prefix in done]
            live[group] = [prefix for prefix in found if prefix not in done]
            if _decided(live[group], ended[group], beam):
                live[group] = []
        if not any(live) or length == beam.max_tokens:
            break
        flat = [prefix for prefixes in live for prefix in prefixes]
        reader.select([prefix.place for prefix in flat])
        reader.read([prefix.tokens[-1] for prefix in flat])
        for place, prefix in enumerate(flat):
            prefix.place = place
    for group, prefixes in enumerate(live):
        ended[group] += [_hypothesis(prefix, beam, ended=False) for prefix in prefixes]
    best = [sorted(each, key=lambda h: -h.score)[: beam.beams // beam.groups] for each in ended]
    return sorted((h for each in best for h in each), key=lambda h: -h.score)


def _extend(
    prefixes: list[_Prefix], log_probs: Tensor, taken: Counter[int], beam: Beam
) -> list[_Prefix]:
    """Return the best continuations of a group's prefixes by one token."""
    if not prefixes:
        return []
    new = log_probs[[prefix.place for prefix in prefixes]]
    totals = new + torch.tensor([prefix.log_prob for prefix in prefixes], dtype=new.dtype)[:, None]
    ranked = totals.clone()
    for token, times in taken.items():
        ranked[:, token] -= beam.diversity * times
    order = ranked.flatten().topk(min(beam.beams // beam.groups, ranked.numel()))
    found = []
    for at, rank in zip(order.indices.tolist(), order.values.tolist(), strict=True):
        if rank == -torch.inf:
            continue
        which, token = divmod(at, new.shape[1])
        prefix = prefixes[which]
        log_prob = float(totals[which, token])
        found.append(_Prefix((*prefix.tokens, token), log_prob, prefix.place))
    return found


def _decided(live: list[_Prefix], ended: list[Hypothesis], beam: Beam) -> bool:
    """Whether no live prefix can still come among the best: log p falls with every token."""
    size = beam.beams // beam.groups
    if len(ended) < size:
        return False
    worst = sorted((hypothesis.score for hypothesis in ended), reverse=True)[size - 1]
    most = beam.max_tokens**beam.length_penalty
    return all(prefix.log_prob / most <= worst for prefix in live)


def _hypothesis(prefix: _Prefix, beam: Beam, *, ended: bool) -> Hypothesis:
    score = prefix.log_prob / len(prefix.tokens) ** beam.length_penalty
    return Hypothesis(prefix.tokens, prefix.log_prob, score, ended)
