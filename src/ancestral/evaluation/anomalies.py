"""How strange examples are to a model: by probability, by reconstruction and by code."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor

from ancestral.capabilities import Encodes, HasBound, HasDensity
from ancestral.data.cells import Cells
from ancestral.data.dataset import Examples
from ancestral.data.fields import LABEL
from ancestral.data.projections import PrincipalAxes
from ancestral.errors import ConfigError
from ancestral.evaluation.drawing import device_of, generator_of
from ancestral.evaluation.measures.neighbours import Index, nearest
from ancestral.evaluation.surprise import RowScores, row_surprise
from ancestral.evaluation.tables.roc import area, average_precision
from ancestral.networks.units import InDataUnits

SCORES = {
    "surprise": "minus log p(x), or minus its bound, nats",
    "reconstruction": "squared distance to what is made of the code, in model units; of a mixed "
    "table the number of cells that differ",
    "lost_share": "of images: the same as a share of the squared distance to the mean of the "
    "training images, for of little ink little is lost",
    "latent_distance": "mean distance of the code to the five nearest codes of training examples, "
    "in deviations of these",
    "strangeness": "logarithms of what is lost (of images the share) and of the distance of the "
    "code, each in deviations over held-out examples, summed",
}
"""What each score says; greater is stranger. A model has those that it can give."""

_SEEN = 10_000
"""Training examples whose codes are remembered."""

_NEIGHBOURS, _CHUNK, _TINY = 5, 1_000, 1e-12
_LOST = ("reconstruction", "lost_share")
_FLOOR = 0.01
"""Below this share of its mean over held-out examples a score is as good as nothing."""

_FLAT = 1e-4
"""Codes that vary less than this share of the widest one count as if they varied so much."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a model made of its training examples.

    Args:
        centre: Their mean in model units, flat, [D].
        axes: Of their codes.
        index: Their codes along these axes, in deviations.
    """

    centre: Tensor
    axes: PrincipalAxes
    index: Index

    @classmethod
    def of(cls, model: InDataUnits, train: Examples) -> "Seen":
        """Return what a model makes of examples."""
        coded = _coded(model, train.x)
        axes = PrincipalAxes.of(coded.codes, coded.codes.shape[1])
        return cls(coded.units.mean(dim=0), axes, Index(_white(axes, coded.codes)))

    def distance(self, codes: Tensor) -> Tensor:
        """Return the mean distance of codes [N, L] to the nearest ones, [N]."""
        count = min(_NEIGHBOURS, len(self.index.points))
        return nearest(_white(self.axes, codes), self.index, count)[0].mean(dim=1)


def _white(axes: PrincipalAxes, codes: Tensor) -> Tensor:
    most = axes.variances.max()
    return axes(codes) / axes.variances.clamp_min(float(_FLAT * most) or 1.0).sqrt()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detector:
    """Scores of strangeness, those of :data:`SCORES` that a model can give, and their thresholds.

    Args:
        model: In the units of the examples; with a density, a bound or an encoder of x alone.
        seen: Training examples; None for a detector without.
        normal: Scores of held-out examples, by name, [N]; empty for a detector without.
        seed: Of the noise of a bound.
    """

    model: InDataUnits
    seen: Seen | None = None
    normal: Mapping[str, Tensor] = field(default_factory=dict)
    seed: int = 0

    @classmethod
    def of(
        cls, model: InDataUnits, train: Examples, held_out: Examples, *, seed: int = 0
    ) -> "Detector":
        """Return the detector of a model that was fitted on ``train``; ``held_out`` is normal, too.

        Args:
            model: With a density, a bound or an encoder.
            train: Of which at most 10,000 are encoded.
            held_out: Examples that training did not see.
            seed: Of the noise of a bound.
        """
        seen = Seen.of(model, train[:_SEEN]) if encodes_alone(model) else None
        plain = cls(model=model, seen=seen, seed=seed)
        normal = plain.score(held_out).scores
        known = replace(plain, normal=normal)
        return known if seen is None else replace(known, normal=known._with_both(normal))

    def score(self, examples: Examples) -> RowScores:
        """Return the scores of examples."""
        found = RowScores(scores={}, kind="loss")
        if self.model.can(HasDensity) or self.model.can(HasBound):
            found = row_surprise(self.model, examples, seed=self.seed)
        if not encodes_alone(self.model):
            return found
        coded = _coded(self.model, examples.x)
        scores = {**found.scores, "reconstruction": coded.lost}
        if self.seen is not None:
            if examples.x.ndim == 4:
                whole = (coded.units - self.seen.centre).square().sum(dim=1)
                scores["lost_share"] = coded.lost / whole.clamp_min(_TINY)
            scores["latent_distance"] = self.seen.distance(coded.codes)
        return replace(found, scores=self._with_both(scores) if self.normal else scores)

    def _with_both(self, scores: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the scores with the one of reconstruction and code together."""
        total, lost = torch.zeros(()), [name for name in _LOST if name in scores][-1]
        for name in (lost, "latent_distance"):
            least = max(_FLOOR * float(self.normal[name].mean()), _TINY)
            logs, normal = ((x[name] + least).log() for x in (scores, self.normal))
            deviation = float(normal.std()) if len(normal) > 1 else 0.0
            total = total + (logs - normal.mean()) / (deviation or 1.0)
        return {**scores, "strangeness": total}

    @property
    def usual(self) -> str:
        """The name of the score that decides: the last one that there is."""
        return [*self.normal][-1]

    def threshold(self, rate: float, name: str = "") -> float:
        """Return the number above which a score is an alarm; of normal examples ``rate`` are.

        The rate is that of the next normal example, at most, over draws of the held-out ones.

        Source: Vovk, Gammerman & Shafer 2005, Algorithmic Learning in a Random World, ch. 2.

        Args:
            rate: Of false alarms, between 0 and 1.
            name: Of the score; the usual one if empty.

        Raises:
            ConfigError: If the rate is out of its range, or too small for so few examples.
        """
        normal = self.normal[name or self.usual]
        if not 0 < rate < 1:
            raise ConfigError(f"alarm must lie between 0 and 1, got {rate:g}")
        place = math.ceil((len(normal) + 1) * (1 - rate))
        if place > len(normal):
            raise ConfigError(
                f"alarm must be at least {1 / (len(normal) + 1):.2g}, for there are "
                f"{len(normal):,} held-out examples, got {rate:g}"
            )
        return float(normal.sort().values[place - 1])


def detection(scores: Mapping[str, Tensor], abnormal: Tensor) -> dict[str, dict[str, float]]:
    """Return how well each score tells abnormal examples: ``auroc``, its error ``se``, ``auprc``.

    Args:
        scores: By name, [N].
        abnormal: Which examples are, bool [N]; two at least of either kind.

    Raises:
        ValueError: If there are fewer.
    """
    found = {}
    for name, score in scores.items():
        high, low = score[abnormal], score[~abnormal]
        curve = area(high, low)
        precision = average_precision(high, low)
        found[name] = {"auroc": curve.value, "se": curve.se, "auprc": precision}
    return found


def encodes_alone(model: InDataUnits) -> bool:
    """Return whether a model has codes of x alone, of which something may be lost.

    Where there is an exact density, it says all that a code could.
    """
    return model.can(Encodes) and not model.can(HasDensity) and LABEL not in model.nodes


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """Examples in model units [N, D], their codes [N, L] and what is lost [N], float64."""

    units: Tensor
    codes: Tensor
    lost: Tensor


@torch.no_grad()
def _coded(model: InDataUnits, x: Tensor) -> _Coded:
    """Return what a model makes of examples, on the CPU."""
    cells, noise, parts = isinstance(model.transform, Cells), generator_of(model, 0), []
    network = cast(Encodes, model.network)
    for part in x.split(_CHUNK):
        y = model.transform(part.to(device_of(model)), noise)
        z = network.encode(y).mean
        back = network.decode(z).double()
        gaps = (back != y).double() if cells else (back - y).square()
        parts.append((y.double().flatten(1), z.flatten(1).double(), gaps.flatten(1).sum(1)))
    units, codes, lost = (torch.cat(some).cpu() for some in zip(*parts, strict=True))
    return _Coded(units, codes, lost)
