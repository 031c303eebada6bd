import itertools

import pytest
import torch
from torch import Generator

from ancestral.autoencoders import FSQ, EMAQuantiser
from ancestral.autoencoders.quantisers import Quantiser

BOTH = [FSQ((8, 5, 2)), EMAQuantiser(16, features=3)]


@pytest.mark.parametrize("quantiser", BOTH, ids=["fsq", "ema"])
def test_the_index_makes_the_round_trip_and_the_gradient_passes(quantiser: Quantiser) -> None:
    every = torch.arange(quantiser.codes)
    vectors = quantiser.vectors(every)
    assert len(vectors.unique(dim=0)) == quantiser.codes
    assert torch.equal(quantiser.nearest(vectors), every)
    z = torch.randn(4, 7, 3, generator=Generator().manual_seed(0)).requires_grad_()
    found = quantiser(z)
    assert found.codes.shape == found.cost.shape == (4, 7)
    torch.testing.assert_close(found.vectors, quantiser.vectors(found.codes))
    (gradient,) = torch.autograd.grad(found.vectors.sum(), z)
    assert gradient.shape == z.shape
    assert (gradient > 0).all()


def test_straight_through_is_the_identity_of_the_gradient() -> None:
    quantiser = EMAQuantiser(16, features=3)
    z = torch.randn(5, 3).requires_grad_()
    slope = torch.randn(5, 3)
    (gradient,) = torch.autograd.grad((slope * quantiser(z).vectors).sum(), z)
    torch.testing.assert_close(gradient, slope)


def test_the_nearest_code_is_found() -> None:
    quantiser, z = EMAQuantiser(16, features=3), torch.randn(50, 3)
    distances = torch.cdist(z, quantiser.codebook)
    found = quantiser(z)
    assert torch.equal(found.codes, distances.argmin(1))
    torch.testing.assert_close(found.cost, distances.amin(1).square(), atol=1e-5, rtol=1e-4)


def test_levels_of_fsq_are_even_and_bounded_and_all_are_reached() -> None:
    for levels in ((2,), (3,), (4,), (5,), (8,)):
        fsq = FSQ(levels)
        found = fsq(torch.linspace(-6, 6, 4001)[:, None])
        values = found.vectors.detach().unique()
        assert len(values) == fsq.codes == levels[0]
        torch.testing.assert_close(
            values.diff(), torch.full((levels[0] - 1,), 1 / (levels[0] // 2))
        )
        assert values.abs().max() <= 1 + 1e-6
        # Codes rise with the number.
        assert (found.codes.diff() >= 0).all()


def test_codes_of_fsq_are_all_combinations() -> None:
    fsq = FSQ((3, 2))
    wanted = {*itertools.product((-1.0, 0.0, 1.0), (-1.0, 0.0))}
    assert {tuple(row) for row in fsq.vectors(torch.arange(6)).tolist()} == wanted


def test_the_codebook_goes_to_the_means_of_its_vectors() -> None:
    centres = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0]])
    generator = Generator().manual_seed(0)
    quantiser = EMAQuantiser(3, features=2, decay=0.9)
    for _ in range(300):
        z = centres[torch.randint(3, (300,), generator=generator)]
        z = z + 0.1 * torch.randn(z.shape, generator=generator)
        quantiser.learn(z, quantiser(z).codes, generator)
    order = quantiser.nearest(centres)
    assert order.unique().numel() == 3
    # A mean of about 1000 points of deviation 0.1.
    torch.testing.assert_close(quantiser.codebook[order], centres, atol=0.03, rtol=0)


def test_dead_codes_are_revived() -> None:
    generator = Generator().manual_seed(0)
    quantiser = EMAQuantiser(32, features=2, decay=0.5)
    z = torch.randn(1000, 2, generator=generator)
    quantiser.learn(z, quantiser(z).codes, generator)
    quantiser.codebook[1:] = quantiser.sums[1:] = 1e3  # Far from everything.
    assert quantiser(z).codes.unique().tolist() == [0]
    for _ in range(20):
        quantiser.learn(z, quantiser(z).codes, generator)
    assert len(quantiser(z).codes.unique()) > 24


def test_what_is_out_of_range_is_refused() -> None:
    for make, words in (
        (lambda: EMAQuantiser(1, features=2), "codes must be at least 2, got 1"),
        (lambda: EMAQuantiser(2, features=0), "features must be at least 1, got 0"),
        (lambda: EMAQuantiser(2, features=1, decay=1.0), r"decay must lie in \[0, 1\), got 1.0"),
        (lambda: FSQ(()), "levels must be one or more numbers of at least 2"),
        (lambda: FSQ((4, 1)), "levels must be one or more numbers of at least 2"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
