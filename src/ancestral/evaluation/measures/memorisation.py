"""Memorisation: do samples lean to the training set more than fresh data would?"""

import math
from functools import cached_property

import torch
from scipy.special import ndtr
from torch import Tensor

from ancestral.evaluation.measures.estimate import Estimate, require_pair, require_rows
from ancestral.evaluation.measures.neighbours import Index, nearest


def memorisation(samples: Tensor, train: Tensor, held_out: Tensor) -> Estimate:
    """Probability that a sample leans to the training set more than a held-out point does.

    The lean of a point is d(train) / (d(train) + d(held-out)), small for a copy, with d the
    distance to the nearest point of that set; a held-out point is not its own neighbour. Value
    0.5: samples stand to the training set as fresh data do. 1: they are copies. Below 0.5: they
    are further from both sets than data are, so that the difference vanishes. Dividing by the
    distance to held-out data keeps a model that blurs, or makes only the dense part of the data,
    from being taken for a copier: both distances shrink alike.

    The value is the area under the ROC curve (Mann-Whitney) of lean with held-out points as
    control. Samples that share a nearest point are not independent (a collapsed model has
    few), so DeLong's error is made robust to clusters by nearest training and held-out point.
    The p-value is one-sided, of the hypothesis that the model does not copy; its error takes the
    spread around 0.5, without which a model that makes one point only would look certain.

    Source: the control by held-out data follows Meehan et al. 2020, A non-parametric test to
    detect data-copying in generative models, arXiv:2004.05675, sec. 2; error: DeLong et al.
    1988, Biometrics 44; clusters: Cameron et al. 2011, Robust inference with multiway clustering.

    Args:
        samples: Points [N, D].
        train: Points [T, D] that the model was fitted to.
        held_out: Points [M, D] of the same law that it never saw.

    Raises:
        ValueError: If ``samples`` or ``held_out`` has fewer than 2 rows, something is not
            finite, or the columns differ.
    """
    return Suspect(train, held_out).memorisation(samples)


class Suspect:
    """A training set [T, D] and held-out points [M, D], to hold many samples against."""

    def __init__(self, train: Tensor, held_out: Tensor) -> None:
        self._train, self._held_out = Index(train), Index(held_out)

    def memorisation(self, samples: Tensor) -> Estimate:
        """Return the probability for samples [N, D], as :func:`memorisation` does.

        Raises:
            ValueError: As there.
        """
        require_pair(samples, self._held_out.points, least=2)
        require_rows("train", self._train.points, 1)
        to_train, by_train = nearest(samples, self._train)
        to_held_out, by_held_out = nearest(samples, self._held_out)
        above, below = _placements(_lean(to_train, to_held_out), self._control)
        value, of_control = above.mean().item(), below.var().item() / len(below)
        groups = (by_train[:, 0], by_held_out[:, 0])
        error = math.sqrt(clustered_variance(above - value, *groups) + of_control)
        null_error = math.sqrt(clustered_variance(above - 0.5, *groups) + 1 / (12 * len(below)))
        return Estimate(value, error, float(ndtr((0.5 - value) / null_error)))

    @cached_property
    def _control(self) -> Tensor:
        held_out = self._held_out.points
        among, _ = nearest(held_out, self._held_out, leave_one_out=True)
        return _lean(nearest(held_out, self._train)[0], among)


def _lean(to_train: Tensor, to_held_out: Tensor) -> Tensor:
    """Return the share [N] of the first distance in the sum of both; 0.5 where both are 0."""
    total = (to_train + to_held_out)[:, 0]
    return torch.where(total > 0, to_train[:, 0] / total.clamp(min=1e-300), 0.5)


def _placements(lean: Tensor, control: Tensor) -> tuple[Tensor, Tensor]:
    """Return the share of the control above each sample, and of the samples below each control.

    Ties count half; the mean of either is P(lean < control).
    """
    from scipy.stats import rankdata  # Heavy, and needed here only.

    n, m = len(lean), len(control)
    ranks = torch.from_numpy(rankdata(torch.cat((lean, control)).numpy()))
    own, own_control = (torch.from_numpy(rankdata(part.numpy())) for part in (lean, control))
    return 1 - (ranks[:n] - own) / m, (ranks[n:] - own_control) / n


def clustered_variance(deviations: Tensor, first: Tensor, second: Tensor) -> float:
    """Return the variance of the mean of deviations [N] that share points in two groupings."""
    alone = deviations.square().sum()
    shared = -alone
    for group in (first, second):
        sums = torch.zeros(int(group.max()) + 1, dtype=deviations.dtype)
        shared = shared + sums.index_add_(0, group, deviations).square().sum()
    return (torch.maximum(shared, alone) / len(deviations) ** 2).item()
