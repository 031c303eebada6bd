"""Share of samples off the support of a distribution that can be drawn from at will."""

from torch import Tensor

from ancestral.evaluation.measures.estimate import Estimate, require_pair, share_of
from ancestral.evaluation.measures.neighbours import Index, nearest


def off_manifold(samples: Tensor, fresh: Tensor | Index, *, distance: float = 0.05) -> Estimate:
    """Share of samples further than ``distance`` from every one of many fresh real points.

    Source: this project; the measure by which the book's GAN and VAE on the swiss roll were
    compared (200,000 fresh points, 0.05 in standardised units).

    Args:
        samples: Points [N, D].
        fresh: Draws from the true distribution [M, D], M large, or their index.
        distance: In the units of the points.

    Returns:
        A share in [0, 1] with its binomial standard error.

    Raises:
        ValueError: If a set is empty, is not finite, or the columns differ.
    """
    index = fresh if isinstance(fresh, Index) else Index(fresh)
    require_pair(samples, index.points, least=1)
    return share_of(nearest(samples, index)[0][:, 0] > distance)
