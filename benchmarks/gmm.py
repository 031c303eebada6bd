"""EM of a Gaussian mixture, 200,000 x 16, 16 full covariances: ours against scikit-learn."""

import warnings
from collections.abc import Iterator

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Peer

from ancestral.classic import GaussianMixture
from benchmarks.harness import Result, compare

POINTS, FEATURES, COMPONENTS, SWEEPS = 200_000, 16, 16, 20


def run() -> Iterator[Result]:
    """Yield the comparison: both start at the same means and make 20 sweeps."""
    generator = torch.Generator().manual_seed(0)
    centres = 3 * torch.randn(COMPONENTS, FEATURES, generator=generator, dtype=torch.float64)
    which = torch.randint(COMPONENTS, (POINTS,), generator=generator)
    noise = torch.randn(POINTS, FEATURES, generator=generator, dtype=torch.float64)
    x = centres[which] + noise
    start = x[:COMPONENTS]
    model = GaussianMixture(
        FEATURES,
        components=COMPONENTS,
        least_variance=1e-6,
        tolerance=-float("inf"),
        iterations=SWEEPS,
    )
    peer = Peer(
        COMPONENTS,
        tol=0,
        max_iter=SWEEPS,
        means_init=start.numpy(),
        init_params="random_from_data",
        random_state=0,
    )

    def theirs() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            peer.fit(x.numpy())

    yield compare(
        "GMM EM, 200k x 16, 16 full covariances, 20 sweeps",
        ours=lambda: model.fit(x, means=start),
        peer=("scikit-learn", theirs),
        bar=4,
        rounds=3,
        note="float64, from the same means",
    )
