import pytest
import torch
from torch import Generator

from ancestral.data import load
from ancestral.data.dataset import Examples
from ancestral.data.model_units import build, white
from ancestral.data.transforms import Compose, Dequantise, Flatten
from ancestral.data.whitening import Whiten, fit_whitening


def test_pixels_become_white_also_those_that_never_change() -> None:
    generator = Generator().manual_seed(0)
    x = torch.randint(8, (4000, 1, 2, 2), generator=generator)
    x[:, :, 0, 1] = (x[:, :, 0, 0] + x[:, :, 0, 1]) // 2
    x[:, :, 1, 1] = 5
    x = x.to(torch.uint8)
    whiten = fit_whitening(Examples(x), 8)
    transform = Compose([Dequantise(8), Flatten((1, 2, 2)), whiten])
    y, log_det = transform.forward_and_log_det(x, generator)
    assert y.shape == (4000, 4)
    # Means and covariances of 4000 rows of noise and levels: five standard errors are 0.11.
    torch.testing.assert_close(y.mean(dim=0), torch.zeros(4), atol=0.08, rtol=0)
    torch.testing.assert_close(y.T.cov(), torch.eye(4), atol=0.12, rtol=0)
    assert torch.equal(transform.inverse(y), x)
    wanted = -whiten.factor.logdet() - 4 * torch.tensor(8.0).double().log()
    torch.testing.assert_close(log_det, wanted.expand(4000))


def test_the_log_determinant_is_that_of_autograd() -> None:
    whiten = Whiten(torch.ones(2), torch.tensor([[2.0, 0.0], [-1.0, 0.5]]))
    x = torch.tensor([[0.3, 1.7]]).double()
    jacobian = torch.autograd.functional.jacobian(lambda at: whiten(at).double()[0], x)[:, 0]
    found = whiten.forward_and_log_det(x)[1]
    assert float(found) == pytest.approx(float(jacobian.slogdet().logabsdet), abs=1e-6)
    torch.testing.assert_close(whiten.inverse(whiten(x)), x, atol=1e-6, rtol=0)


def test_it_is_rebuilt_from_its_description() -> None:
    digits = load("digits")
    transform = white(digits)
    again = build(transform.spec())
    again.load_state_dict(transform.state_dict())
    x = digits.test.x[:5]
    one, two = (each(x, Generator().manual_seed(1)) for each in (transform, again))
    assert torch.equal(one, two)
    assert torch.equal(again.inverse(two), x)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="factor must have a diagonal above 0"):
        Whiten(torch.zeros(2), torch.zeros(2, 2))
