"""What a mixture should be: how many components, of which form, and how narrow they may get."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Generator, Tensor

from ancestral.classic.covariance import FORMS, Covariance
from ancestral.classic.gmm import LEAST_VARIANCES, GaussianMixture
from ancestral.telling import beat, time_left

T = TypeVar("T")

_COSTLY = 0.05
"""Nats a row that the estimation of its parameters may cost a full mixture, and no other is tried.

P parameters that are estimated from N rows cost about P / (2 N) nats a held-out row.
"""

_FALLS = 2  # The likelihood has passed its top when it has fallen so often in a row.


@dataclass(frozen=True, slots=True)
class Choice:
    """What a mixture is to be; the arguments of :class:`GaussianMixture`."""

    components: int
    covariance: Covariance
    least_variance: float


def best_components(
    x: Tensor,
    candidates: Sequence[int],
    *,
    covariance: Covariance = "full",
    held_out: float = 0.2,
    least_variance: float | None = None,
    generator: Generator | None = None,
) -> int:
    """Return the number of components of highest likelihood on held-out examples.

    Candidates with more components than examples are passed over, and the last ones where time is
    up.

    Args:
        x: Data, [N, D].
        candidates: Numbers of components to try.
        covariance: As in :class:`GaussianMixture`.
        held_out: Share of the examples, at random, that judge and are not fitted, in (0, 1).
        least_variance: As in :class:`GaussianMixture`.
        generator: Source of the split and of the starts; torch's global one if None.

    Raises:
        ValueError: If held_out is outside (0, 1), or no candidate is possible.

    Example:
        >>> three = torch.randn(300, 2) * 0.1 + torch.arange(300)[:, None] % 3
        >>> best_components(three, [1, 3])
        3
    """
    trial = _Trial.of(x, held_out, generator)
    possible = trial.possible(candidates)
    trial.most = len(possible)
    return max(_in_time(possible), key=lambda count: trial.score(count, covariance, least_variance))


def best_mixture(
    x: Tensor,
    candidates: Sequence[int],
    *,
    covariance: Covariance | None = None,
    least_variance: float | None = None,
    held_out: float = 0.2,
    generator: Generator | None = None,
) -> Choice:
    """Return the mixture of highest likelihood on held-out examples.

    Full covariances and a least variance of 1e-6 are what is taken where the examples are many for
    their parameters: estimating P parameters from N examples costs about P / (2 N) nats an example,
    and where that is below 0.05 nats nothing else could win more. Otherwise each form of the
    covariance is tried, with more components for as long as that helps, then with each least
    variance; what is not tried when time is up is not chosen.

    Args:
        x: Data, [N, D].
        candidates: Numbers of components to try; more than there are examples are passed over.
        covariance: The form, if it is not to be chosen.
        least_variance: As in :class:`GaussianMixture`, if it is not to be chosen.
        held_out: Share of the examples, at random, that judge and are not fitted, in (0, 1).
        generator: Source of the split and of the starts; torch's global one if None.

    Raises:
        ValueError: If held_out is outside (0, 1), or no candidate is possible.

    Example:
        >>> x = torch.randn(50, 100, generator=torch.Generator().manual_seed(0))
        >>> best_mixture(x, [1, 2], generator=torch.Generator().manual_seed(0)).covariance
        'spherical'
    """
    form, least = covariance or "full", least_variance or LEAST_VARIANCES[0]
    known = covariance is not None and least_variance is not None

    def affordable(count: int) -> bool:
        return known or not _costly(count, form, x.shape, held_out)

    if len(candidates) == 1 and affordable(candidates[0]):
        return Choice(candidates[0], form, least)
    trial = _Trial.of(x, held_out, generator)
    if len(candidates) == 1 and len(trial.examples) < candidates[0]:  # Too few to judge.
        return Choice(candidates[0], covariance or "diag", least_variance or LEAST_VARIANCES[-1])
    possible = trial.possible(candidates)
    if affordable(min(possible)):
        trial.most = len(possible)
        count = max(_in_time(possible), key=lambda count: trial.score(count, form, least))
        if affordable(count) or time_left() <= 0:
            return Choice(count, form, least)
    forms: Sequence[Covariance] = [*FORMS] if covariance is None else [covariance]
    floors = LEAST_VARIANCES if least_variance is None else [least_variance]
    trial.most = trial.done + len(forms) * (len(possible) + len(floors))
    found = [trial.best_of_form(each, possible, floors) for each in _in_time(forms)]
    return max(found, key=lambda pair: pair[0])[1]


@dataclass(slots=True)
class _Trial:
    """Examples to be fitted, and others that judge; how many mixtures are, and may be tried."""

    examples: Tensor
    judges: Tensor
    generator: Generator | None
    done: int = 0
    most: int = 1

    @classmethod
    def of(cls, x: Tensor, held_out: float, generator: Generator | None) -> "_Trial":
        if not 0 < held_out < 1:
            raise ValueError(f"held_out must be in (0, 1), got {held_out}")
        order = torch.randperm(len(x), generator=generator)
        cut = max(1, round(held_out * len(x)))
        return cls(x[order[cut:]], x[order[:cut]], generator)

    def possible(self, candidates: Sequence[int]) -> list[int]:
        found = [count for count in candidates if 1 <= count <= len(self.examples)]
        if not found:
            most = len(self.examples)
            raise ValueError(f"candidates must have one of 1 to {most}, got {candidates}")
        return found

    def score(self, count: int, covariance: Covariance, least_variance: float | None) -> float:
        model = GaussianMixture(
            self.examples.shape[1],
            components=count,
            covariance=covariance,
            least_variance=least_variance,
        )
        model.fit(self.examples, generator=self.generator)
        score = float(model.log_prob(self.judges).mean())
        self.done += 1
        beat(self.done / (self.most + 1))
        return -math.inf if math.isnan(score) else score

    def best_of_form(
        self, form: Covariance, counts: Sequence[int], floors: Sequence[float]
    ) -> tuple[float, Choice]:
        """Return the best score of a form, and the mixture that has it."""
        middle = floors[len(floors) // 2]
        score, count = _climb(sorted(counts), lambda count: self.score(count, form, middle))
        if time_left() <= 0:
            return score, Choice(count, form, middle)
        score, least = _climb(floors, lambda least: self.score(count, form, least), falls=None)
        return score, Choice(count, form, least)


def _in_time(candidates: Iterable[T]) -> Iterator[T]:
    """Yield the first candidate, and the others while there is time."""
    for number, candidate in enumerate(candidates):
        if number and time_left() <= 0:
            return
        yield candidate


def _climb(
    candidates: Iterable[T], score: Callable[[T], float], *, falls: int | None = _FALLS
) -> tuple[float, T]:
    """Return the best score and the first candidate that has it; stop after so many falls."""
    found: list[tuple[float, T]] = []
    for candidate in _in_time(candidates):
        found.append((score(candidate), candidate))
        scores = [value for value, _ in found]
        if falls is not None and len(scores) - 1 - scores.index(max(scores)) >= falls:
            break
    return max(found, key=lambda pair: pair[0])


def _costly(count: int, form: Covariance, shape: torch.Size, held_out: float) -> bool:
    """Tell whether the parameters of a mixture are many for the examples that are fitted."""
    rows, features = shape
    pairs = FORMS[form].pairs(features).shape[1]
    each = 1 if FORMS[form].round else pairs
    matrices = 1 if form == "tied" else count
    parameters = count * (1 + features) + matrices * each
    return parameters > 2 * _COSTLY * (1 - held_out) * rows
