"""Classifier two-sample test: can a classifier tell generated data from real data?"""

import numpy as np
import torch
from torch import Generator, Tensor

from ancestral.evaluation.measures.estimate import Estimate, require_pair, share_of

LEAF = 20
"""Fewest examples in a leaf; of few, an eighth of those that train, or no leaf could be split."""


def classifier_accuracy(x: Tensor, y: Tensor, *, seed: int = 0) -> Estimate:
    """Held-out accuracy of gradient-boosted trees at telling x from y: 0.5 cannot, 1 always.

    The larger sample is cut to the size of the smaller. Both are halved at random: a classifier
    trained on one half of each judges the others. Those are independent of it, so that the
    standard error is binomial. To change the halves over and judge every point would gain nothing
    where the laws are equal: both accuracies would measure the same chance.

    Source: Lopez-Paz & Oquab 2017, Revisiting classifier two-sample tests, arXiv:1610.06545.

    Args:
        x: Points [N, D].
        y: Points [M, D].
        seed: Of the halves.

    Raises:
        ValueError: If a sample has fewer than 10 rows, is not finite, or the columns differ.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # Heavy, and needed here only.
    from threadpoolctl import threadpool_limits  # A requirement of scikit-learn.

    require_pair(x, y, least=10)
    n = min(len(x), len(y))
    generator = Generator().manual_seed(seed)
    points = torch.cat([z[torch.randperm(len(z), generator=generator)[:n]] for z in (x, y)])
    from_y, judged = np.repeat([0, 1], n), np.tile(np.arange(n) >= n // 2, 2)
    features = points.double().numpy()
    trees = HistGradientBoostingClassifier(
        max_iter=60, min_samples_leaf=max(1, min(LEAF, n // 2 // 4)), random_state=seed
    )
    # One thread: the trees are small, and waiting for a second one costs more than it brings.
    with threadpool_limits(limits=1, user_api="openmp"):
        trees.fit(features[~judged], from_y[~judged])
        hits = trees.predict(features[judged]) == from_y[judged]
    return share_of(torch.from_numpy(hits))
