"""Which moments belong to which law."""

from torch import distributions as laws
from torch.distributions import Distribution

from ancestral.information.expectations import Moments
from ancestral.information.interval_moments import (
    BetaMoments,
    ContinuousBernoulliMoments,
    KumaraswamyMoments,
    UniformMoments,
)
from ancestral.information.line_moments import (
    CauchyMoments,
    GumbelMoments,
    LaplaceMoments,
    NormalMoments,
    StudentTMoments,
)
from ancestral.information.positive_moments import (
    ExponentialMoments,
    GammaMoments,
    HalfCauchyMoments,
    HalfNormalMoments,
    InverseGammaMoments,
    LogNormalMoments,
    ParetoMoments,
    WeibullMoments,
)


def moments(p: Distribution) -> Moments:
    """Return the moments of a law.

    Raises:
        NotImplementedError: If its family has none here.
    """
    for family in type(p).__mro__:
        if family in _FAMILIES:
            return _FAMILIES[family](p)
    raise NotImplementedError


_FAMILIES: dict[type, type[Moments]] = {
    laws.Beta: BetaMoments,
    laws.Cauchy: CauchyMoments,
    laws.ContinuousBernoulli: ContinuousBernoulliMoments,
    laws.Exponential: ExponentialMoments,
    laws.Gamma: GammaMoments,
    laws.Gumbel: GumbelMoments,
    laws.HalfCauchy: HalfCauchyMoments,
    laws.HalfNormal: HalfNormalMoments,
    laws.InverseGamma: InverseGammaMoments,
    laws.Kumaraswamy: KumaraswamyMoments,
    laws.Laplace: LaplaceMoments,
    laws.LogNormal: LogNormalMoments,
    laws.Normal: NormalMoments,
    laws.Pareto: ParetoMoments,
    laws.StudentT: StudentTMoments,
    laws.Uniform: UniformMoments,
    laws.Weibull: WeibullMoments,
}
