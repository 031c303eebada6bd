import pytest
import torch

from ancestral.classic.empirical import Empirical
from ancestral.errors import CapabilityError

X = torch.tensor([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0], [4.0, 5.0]])
LABELS = torch.tensor([0, 2, 0, 2])


def test_draws_are_examples_with_their_mass() -> None:
    draws = Empirical((2,)).fit(X).sample(8000, generator=torch.Generator().manual_seed(0))
    kinds, counts = torch.unique(draws, dim=0, return_counts=True)
    torch.testing.assert_close(kinds, torch.unique(X, dim=0))
    # Standard error of a share of 1/2 over 8000 draws is 0.0056.
    want = torch.tensor([0.5, 0.25, 0.25])
    torch.testing.assert_close(counts / 8000, want, rtol=0, atol=5 * 0.0056)


def test_mass_counts_duplicates_and_sums_to_one() -> None:
    model = Empirical((2,)).fit(X)
    points = torch.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [0.0, 1.1]])
    want = torch.tensor([0.5, 0.25, 0.25, 0.0], dtype=torch.float64)
    torch.testing.assert_close(model.mass(points), want)


def test_a_label_picks_among_its_own_examples() -> None:
    model = Empirical((2,)).fit(X, given={"label": LABELS})
    generator = torch.Generator().manual_seed(0)
    twos = model.sample(1000, given={"label": torch.tensor(2)}, generator=generator)
    assert set(twos[:, 0].tolist()) == {2.0, 4.0}
    assert (twos[:, 0] == 2).double().mean().item() == pytest.approx(0.5, abs=5 * 0.016)
    mixed = model.sample(4, given={"label": torch.tensor([0, 2, 0, 2])}, generator=generator)
    assert (mixed[[0, 2]] == X[0]).all()
    assert (mixed[[1, 3], 0] > 1).all()
    assert model.graph["p"].edges == (("label", "x"),)


def test_images_are_kept_whole() -> None:
    x = torch.randint(256, (10, 1, 4, 4), dtype=torch.uint8)
    model = Empirical((1, 4, 4)).fit(x)
    assert model.sample(3).shape == (3, 1, 4, 4)
    assert model.sample(3).dtype == torch.uint8
    assert model.mass(x).sum() >= 1


def test_there_is_no_density() -> None:
    assert not hasattr(Empirical((2,)), "log_prob")


def test_mistakes_are_named() -> None:
    with pytest.raises(CapabilityError, match="empirical is not fitted"):
        Empirical((2,)).sample(1)
    model = Empirical((2,)).fit(X)
    with pytest.raises(CapabilityError, match="conditioned on 'label': it is unconditional"):
        model.sample(1, given={"label": torch.tensor(0)})
    model.fit(X, given={"label": LABELS})
    with pytest.raises(CapabilityError, match="no example with label 1"):
        model.sample(1, given={"label": torch.tensor(1)})
    with pytest.raises(CapabilityError, match="no example with label -1"):
        model.sample(2, given={"label": torch.tensor([-1, 0])})
    with pytest.raises(ValueError, match=r"shape \[\] or \[2\], got \[3\]"):
        model.sample(2, given={"label": torch.tensor([0, 0, 0])})
    with pytest.raises(ValueError, match=r"label must have shape \[4\], got \[2\]"):
        model.fit(X, given={"label": LABELS[:2]})
