"""Gaussian kernel densities, 20,000 points on 20,000, float64: ours against scikit-learn."""

from collections.abc import Iterator

import torch
from sklearn.neighbors import KernelDensity

from ancestral.classic import KDE
from benchmarks.harness import Result, compare

POINTS, BANDWIDTH = 20_000, 0.2


def run() -> Iterator[Result]:
    """Yield a comparison in 2 and in 8 dimensions; log-densities agree to 1e-8."""
    for features in (2, 8):
        generator = torch.Generator().manual_seed(features)
        train, test = torch.randn(2, POINTS, features, generator=generator, dtype=torch.float64)
        model = KDE(features, bandwidth=BANDWIDTH).double().fit(train)
        peer = KernelDensity(bandwidth=BANDWIDTH, rtol=0).fit(train.numpy())
        few = test[:200]
        expected = torch.from_numpy(peer.score_samples(few.numpy()))
        torch.testing.assert_close(model.log_prob(few), expected, atol=1e-8, rtol=1e-8)
        yield compare(
            f"KDE log-density, 20k on 20k, d = {features}",
            ours=lambda model=model, test=test: model.log_prob(test),
            peer=("scikit-learn", lambda peer=peer, test=test: peer.score_samples(test.numpy())),
            bar=10,
            rounds=3,
            note="float64, equal to 1e-8",
        )
