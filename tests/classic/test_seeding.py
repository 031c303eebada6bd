import torch

from ancestral.classic.seeding import kmeans, kmeans_plus_plus, nearest_centre


def test_seeds_are_rows_and_spread_over_the_clusters() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = 1000.0 * torch.arange(6)[:, None]
    x = (centres + torch.randn(6, 50, generator=generator)).reshape(-1, 1)
    for _ in range(20):  # A second seed in one cluster has chance 1e-6 at each draw.
        seeds = kmeans_plus_plus(x, 6, generator=generator)
        assert torch.equal((seeds[:, 0] / 1000).round().sort().values, torch.arange(6.0))
        assert (seeds == x.T).any(dim=1).all()


def test_fewer_distinct_rows_than_seeds() -> None:
    assert torch.equal(kmeans_plus_plus(torch.ones(5, 2), 4), torch.ones(4, 2))


def test_nearest_centre_equals_cdist() -> None:
    x, centres = torch.randn(500, 3).double(), torch.randn(7, 3).double()
    assert torch.equal(nearest_centre(x, centres), torch.cdist(x, centres).argmin(1))


def test_kmeans_never_raises_the_distortion_and_keeps_idle_centres() -> None:
    x = torch.randn(400, 2, generator=torch.Generator().manual_seed(1)).double()
    centres = torch.cat((x[:4], torch.full((1, 2), 99.0, dtype=torch.float64)))
    before = torch.cdist(x, centres).amin(1).square().sum()
    for _ in range(8):
        centres = kmeans(x, centres, rounds=1)
        after = torch.cdist(x, centres).amin(1).square().sum()
        assert after <= before
        before = after
    assert torch.equal(centres[4], torch.full((2,), 99.0, dtype=torch.float64))
