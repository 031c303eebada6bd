import numpy as np
import pytest
from scipy import stats

from ancestral.information import standard_laws as standard
from ancestral.information.standard_laws import StandardLaw

number = np.float64
LAWS = [
    (standard.normal(), stats.norm()),
    (standard.half_normal(), stats.halfnorm()),
    (standard.uniform(), stats.uniform()),
    (standard.laplace(), stats.laplace()),
    (standard.gumbel(), stats.gumbel_r()),
    (standard.gamma(number(1.0)), stats.expon()),
    (standard.gamma(number(0.3)), stats.gamma(0.3)),
    (standard.gamma(number(300.0)), stats.gamma(300)),
    (standard.beta(number(0.3), number(4.0)), stats.beta(0.3, 4)),
    (standard.beta(number(300.0), number(4.0)), stats.beta(300, 4)),
    (standard.fisher(number(3.0), number(4.0)), stats.f(3, 4)),
    (standard.student(number(0.5)), stats.t(0.5)),
    (standard.student(number(1.0)), stats.cauchy()),
    (standard.student(number(3.5)), stats.t(3.5)),
    (standard.half_cauchy(), stats.halfcauchy()),
    (standard.generalized_pareto(number(0.4)), stats.genpareto(0.4)),
    (standard.generalized_pareto(number(-0.4)), stats.genpareto(-0.4)),
]


@pytest.mark.parametrize(("law", "peer"), LAWS, ids=lambda x: str(getattr(x, "key", "")))
def test_quantiles_and_tails_equal_scipys(law: StandardLaw, peer: stats.rv_continuous) -> None:
    u = np.linspace(0.001, 0.999, 500)
    with np.errstate(all="ignore"):
        x = law.quantile(u, 1 - u)
        below, above = law.tails(x)
    np.testing.assert_allclose(x, peer.ppf(u), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(below, u, rtol=1e-11)
    np.testing.assert_allclose(above, 1 - u, rtol=1e-11)


def test_the_far_ends_come_back() -> None:
    # Where scipy's quantiles overflow, return NaN or lose digits: Student's, Fisher's, beta's.
    u = 10.0 ** -np.arange(20.0, 300.0, 7.0)
    for law, _ in LAWS:
        with np.errstate(all="ignore"):
            low, high = law.quantile(u, 1 - u), law.quantile(1 - u, u)
            below, above = law.tails(low)[0], law.tails(high)[1]
            moves = np.abs(law.quantile(1 - u, 2 * u) / high - 1) > 1e-5
        # Quantiles below float64's least number and within its rounding of the end do not.
        seen = np.isfinite(low) & (np.abs(low) > 1e-290)
        np.testing.assert_allclose(below[seen], u[seen], rtol=1e-9, err_msg=str(law.key))
        seen = np.isfinite(high) & moves
        np.testing.assert_allclose(above[seen], u[seen], rtol=1e-9, err_msg=str(law.key))
