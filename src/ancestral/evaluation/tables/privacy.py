"""Do samples copy training rows, lean to them, or does the likelihood tell them from others?"""

import math
from dataclasses import dataclass

import torch
from scipy.special import ndtr
from torch import Tensor

from ancestral.data.splitting import row_keys
from ancestral.evaluation.measures.estimate import Estimate, share_of
from ancestral.evaluation.measures.memorisation import clustered_variance
from ancestral.evaluation.measures.neighbours import Index, nearest
from ancestral.evaluation.tables.roc import area

SHOWS = (
    "These figures can show that rows of the training table are repeated, or leaned to, or known "
    "by their likelihood, on average over rows; they cannot show that nobody is found: one who "
    "knows more, asks otherwise or looks for unusual rows may learn what averages hide, and only "
    "a guarantee given in training (differential privacy) bounds that."
)
"""One sentence that stands beside the figures."""


def copies(samples: Tensor, train: Tensor) -> Estimate:
    """Return the share of samples [N, D] that equal a training row [T, D]; gaps are equal."""
    keys = row_keys(samples.double())
    wanted: set[bytes] = set(keys)
    found: set[bytes] = set()
    for part in train.split(65_536):  # Large tables lie in a file.
        found |= wanted.intersection(row_keys(part.double()))
    return share_of(torch.tensor([key in found for key in keys]))


@dataclass(frozen=True, slots=True, eq=False)
class Nearer:
    """Training rows and as many held-out ones [M, D'], to which samples are held.

    Args:
        train: In a space of distances.
        held_out: As many, from the same law.
    """

    train: Index
    held_out: Index

    def __call__(self, points: Tensor) -> Estimate:
        """Return the share of points [N, D'] that are nearer to a training row; ties count half.

        0.5: as fresh data. Points that share a nearest row are not independent, and the error is
        robust to clusters by nearest training and held-out row. The p-value is one-sided, of the
        hypothesis that samples do not lean to the training rows.
        """
        to_train, by_train = nearest(points, self.train)
        to_held_out, by_held_out = nearest(points, self.held_out)
        gap = (to_held_out - to_train)[:, 0]
        # As many cells that differ are one distance, but for rounding.
        hits = torch.where(gap.abs() <= 1e-9, 0.5, (gap > 0).double())
        groups = (by_train[:, 0], by_held_out[:, 0])
        value = hits.mean().item()
        error, null = (
            math.sqrt(clustered_variance(hits - centre, *groups) + 1 / (len(hits) + 2) ** 2)
            for centre in (value, 0.5)
        )
        return Estimate(value, error, float(ndtr((0.5 - value) / null)))


def membership(train: Tensor, held_out: Tensor) -> Estimate:
    """Return how well log p tells training rows from others: an area under the ROC curve.

    0.5: it does not. The p-value is one-sided, of that hypothesis.

    Args:
        train: log p of training rows, [N].
        held_out: log p of rows that were not trained on, [M].
    """
    found = area(train, held_out)
    null = math.sqrt((1 / len(train) + 1 / len(held_out)) / 12)
    return Estimate(found.value, found.se, float(ndtr((0.5 - found.value) / null)))
