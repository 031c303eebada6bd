"""NT-01, NT-02: the units of information, and which way a Jacobian lies."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Laplace, MixtureSameFamily, Normal, Poisson
from torch.func import grad, jacrev

from ancestral.information import (
    Quantity,
    cross_entropy,
    entropy,
    jensen_shannon,
    kl,
    mutual_information,
    self_information,
)


def t(*values: float) -> Tensor:
    return torch.tensor(values[0] if len(values) == 1 else values, dtype=torch.float64)


MIXTURE = MixtureSameFamily(Categorical(t(1.0, 2.0)), Normal(t(-1.0, 2.0), t(1.0)))
LAWS = [
    (t(0.5, 0.3, 0.2), t(0.2, 0.2, 0.6)),
    (Normal(t(0.0), t(1.0)), Normal(t(1.0), t(2.0))),
    (Poisson(t(3.0)), Poisson(t(4.0))),
    (MIXTURE, Laplace(t(0.0), t(2.0))),
]


# NT-01
@pytest.mark.parametrize("base", [2, math.e, 10])
def test_quantities_are_in_nats_unless_a_base_is_given(base: float) -> None:
    for p, q in LAWS:
        found = {
            "entropy": (entropy(p), entropy(p, base=base)),
            "cross": (cross_entropy(p, q), cross_entropy(p, q, base=base)),
            "kl": (kl(p, q), kl(p, q, base=base)),
            "js": (jensen_shannon(p, q), jensen_shannon(p, q, base=base)),
        }
        for name, (nats, other) in found.items():
            _check(nats, other, base, name)
    joint = t(0.4, 0.1, 0.2, 0.3).reshape(2, 2)
    _check(mutual_information(joint), mutual_information(joint, base=base), base, "table")
    assert self_information(0.3, base=base).item() == pytest.approx(-math.log(0.3) / math.log(base))


def _check(nats: Quantity, other: Quantity, base: float, name: str) -> None:
    assert float(other) == pytest.approx(float(nats) / math.log(base), rel=1e-12), name
    assert float(other.se) == pytest.approx(float(nats.se) / math.log(base), rel=1e-12), name
    assert other.kind == nats.kind


# NT-02
def test_rows_of_a_jacobian_are_gradients_of_the_outputs() -> None:
    def f(x: Tensor) -> Tensor:
        return torch.stack((x[0] * x[1].exp() + x[2], (x[0] * x[2]).sin()))

    x = t(0.7, -0.3, 1.1)
    jacobian = jacrev(f)(x)
    assert jacobian.shape == (2, 3)
    step = 1e-5
    for row in range(2):
        gradient = grad(lambda x, row=row: f(x)[row])(x)
        torch.testing.assert_close(jacobian[row], gradient, rtol=0, atol=0)
        for column in range(3):
            shift = step * torch.eye(3, dtype=torch.float64)[column]
            central = (f(x + shift)[row] - f(x - shift)[row]) / (2 * step)
            assert jacobian[row, column].item() == pytest.approx(central.item(), abs=1e-6)
