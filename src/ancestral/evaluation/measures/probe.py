"""Linear probes: what a representation knows of labels that it was not taught."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from ancestral.evaluation.measures.estimate import Estimate, require_pair, share_of

Labelled: TypeAlias = tuple[Tensor, Tensor]
"""Examples [N, *event] and their labels [N]."""

_AT_ONCE = 1_000


def linear_probe(train: Labelled, test: Labelled, *, penalty: float = 1.0) -> Estimate:
    """Share of test points whose label a logistic regression on training points finds.

    Points are centred, and divided by one number so that the mean variance of a column is 1: to
    scale each column by itself would raise directions that hardly vary to the rank of the others.
    The regression is of all classes together.

    Source: Alain & Bengio 2016, Understanding intermediate layers using linear classifier
    probes, arXiv:1610.01644.

    Args:
        train: Points [N, D] and their labels [N], of two classes at least.
        test: Points [M, D] and their labels [M].
        penalty: Half the squared weights count so many times in the sum of the losses, above 0.

    Raises:
        ValueError: If there are fewer than 2 rows or classes, or points and labels do not match.
    """
    # Heavy, and needed here only.
    from sklearn.linear_model import LogisticRegression

    (x, labels), (x_test, labels_test) = train, test
    require_pair(x, x_test, least=2)
    for name, points, of in (("train", x, labels), ("test", x_test, labels_test)):
        if of.shape != points.shape[:1]:
            raise ValueError(f"labels of {name} must be [{len(points)}], got {list(of.shape)}")
    if not penalty > 0:
        raise ValueError(f"penalty must be above 0, got {penalty}")
    if len(labels.unique()) < 2:
        raise ValueError("labels of train must be of at least 2 classes, got 1")
    mean, scale = x.double().mean(dim=0), x.double().var(dim=0).mean().sqrt()
    points, others = ((some.double() - mean).div(scale or 1).cpu().numpy() for some in (x, x_test))
    found = LogisticRegression(C=1 / penalty, max_iter=1_000).fit(points, labels.cpu().numpy())
    return share_of(torch.from_numpy(found.predict(others)) == labels_test.cpu())


def linear_probes(
    features: Callable[[Tensor], Tensor], train: Labelled, test: Labelled, *, penalty: float = 1.0
) -> dict[str, Estimate]:
    """Return the accuracy of a linear probe of features, beside those of what is there anyway.

    ``features`` of a critic are what its last layer sees, of an encoder the mean of its posterior.
    They are worth something where their probe is better than those of the examples themselves
    (``raw``) and of as many of their principal components (``pca``).

    Source: Radford, Metz & Chintala 2016, arXiv:1511.06434, sec. 5.1 (of a critic).

    Args:
        features: Maps examples [B, *event] to [B, *any], each on its own.
        train: Examples and labels that the probes learn from.
        test: Examples and labels that judge them.
        penalty: See :func:`linear_probe`.

    Raises:
        ValueError: As :func:`linear_probe`.

    Example:
        >>> x = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
        >>> labels = (x.norm(dim=1) > 1.2).long()
        >>> half = slice(0, 1000), slice(1000, 2000)
        >>> found = linear_probes(torch.square, *((x[some], labels[some]) for some in half))
        >>> {name: estimate.value > 0.9 for name, estimate in found.items()}
        {'features': True, 'raw': False, 'pca': False}
    """
    pairs = [
        (_of(features, x).flatten(start_dim=1), x.flatten(start_dim=1)) for x, _ in (train, test)
    ]
    (own, raw), _ = pairs
    mean = raw.double().mean(dim=0)
    # Directions of the largest variance, as many as there are features.
    axes = torch.linalg.svd(raw.double() - mean, full_matrices=False).Vh[: own.shape[1]].T
    spaces = {
        "features": [own_ for own_, _ in pairs],
        "raw": [raw_ for _, raw_ in pairs],
        "pca": [(raw_.double() - mean) @ axes for _, raw_ in pairs],
    }
    return {
        name: linear_probe((x, train[1]), (x_test, test[1]), penalty=penalty)
        for name, (x, x_test) in spaces.items()
    }


@torch.no_grad()
def _of(features: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return torch.cat([features(some) for some in x.split(_AT_ONCE)])
