"""How many dimensions the data really fill, after the manifold hypothesis."""

import numpy as np
from torch import Tensor


def intrinsic_dimension(x: Tensor, *, neighbours: int = 10) -> float:
    """Estimate the dimension of the manifold that the data lie near, by maximum likelihood.

    Around a point the number of neighbours within r grows as r^d. The inverse estimates of all
    points are averaged, and copies of a point are left out.

    Source: Levina & Bickel 2004, Maximum likelihood estimation of intrinsic dimension, eq. 8;
    averaged as in MacKay & Ghahramani 2005, Comments on that paper.

    Args:
        x: Data in any units common to all coordinates, [N, *event].
        neighbours: Scale of the estimate, from 2 to N - 1; more see past noise, and curvature.

    Returns:
        The dimension, above 0; not a whole number.

    Raises:
        ValueError: If there are too few distinct points.

    Example:
        >>> import torch
        >>> plane = torch.rand(500, 2, generator=torch.Generator().manual_seed(0)) @ torch.eye(2, 9)
        >>> round(intrinsic_dimension(plane))
        2
    """
    from sklearn.neighbors import NearestNeighbors  # Heavy, and seldom needed.

    points = np.unique(x.flatten(start_dim=1).double().numpy(), axis=0)
    if not 2 <= neighbours < len(points):
        raise ValueError(
            f"neighbours must be from 2 to the {len(points)} distinct points less 1, "
            f"got {neighbours}"
        )
    # The nearest of all is the point itself.
    distances, _ = NearestNeighbors(n_neighbors=neighbours + 1).fit(points).kneighbors(points)
    radii = distances[:, 1:]
    return float(1 / np.log(radii[:, -1:] / radii[:, :-1]).mean())
