"""Classical models of vectors and images: the training set, kernels, mixtures, naive Bayes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, Self

from torch import Generator, Tensor

from ancestral.classic import (
    KDE,
    DiagonalGaussians,
    Empirical,
    GaussianMixture,
    NaiveBayes,
    best_mixture,
)
from ancestral.classic.arguments import check_components
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Shape
from ancestral.evaluation import chosen as figures
from ancestral.recipes.recipe import Recipe
from ancestral.settings import arguments, at_least, chosen, require

_COMPONENTS: dict[bool, Sequence[int]] = {
    False: (1, 2, 4, 8, 16, 32, 64),
    True: (1, 2, 5, 10, 20),  # Of many features: a covariance needs examples for each.
}
_MANY_FEATURES = 16
_LEAST_VARIANCE = 0.1  # Of the many pixels of images.


@dataclass(frozen=True, slots=True, kw_only=True)
class EmpiricalConfig:
    """The training set itself: nothing to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KDEConfig:
    """A kernel density estimate.

    Args:
        bandwidth: Width of the kernel in standardised units, above 0, or a rule of thumb; None:
            the one under which left-out examples are most likely.
        kernel: The kernel's shape; the compact ones give probability 0 to what is far from every
            example.
    """

    bandwidth: float | Literal["scott", "silverman"] | None = chosen()
    kernel: Literal["gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"] = (
        "gaussian"
    )

    def __post_init__(self) -> None:
        number = isinstance(self.bandwidth, int | float)
        require(self, "bandwidth", not number or float(self.bandwidth or 0) > 0, "above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class GMMConfig:
    """A mixture of Gaussians.

    Args:
        components: Number of Gaussians, at least 1; None: the number under which a held-out part
            of the training split is most likely.
        covariance: Of each Gaussian: ``full``, ``diag`` (independent columns), ``tied`` (the same
            full one for all) or ``spherical`` (one variance); None: of rows that are few for the
            parameters of full ones, chosen like the number; else full.
        least_variance: Least variance of a component in any direction, relative to the data's, in
            (0, 1]; None: of such rows chosen likewise; else 1e-6, or 0.1 for the many pixels of
            images.
    """

    components: int = chosen()
    covariance: Literal["full", "diag", "tied", "spherical"] = chosen()
    least_variance: float = chosen()

    def __post_init__(self) -> None:
        at_least(self, components=1)
        least = self.least_variance
        require(self, "least_variance", least is None or 0 < least <= 1, "above 0 and at most 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config for images, but for the components; of rows, all wait for the data."""
        if shape.kind != "images":
            return self
        least = self.least_variance or _LEAST_VARIANCE
        return replace(self, covariance=self.covariance or "full", least_variance=least)


@dataclass(frozen=True, slots=True, kw_only=True)
class NaiveBayesConfig:
    """Independent normals given the label.

    Args:
        smoothing: What is added to every variance, relative to the largest one, above 0.
    """

    smoothing: float = 1e-6

    def __post_init__(self) -> None:
        require(self, "smoothing", self.smoothing > 0, "above 0")


def _choose(config: GMMConfig, y: Tensor, generator: Generator) -> GMMConfig:
    """Return the config with what is left open as held-out examples like it best."""
    if None not in (config.components, config.covariance, config.least_variance):
        return config
    many = y.shape[1] >= _MANY_FEATURES
    candidates = _COMPONENTS[many] if config.components is None else [config.components]
    own = arguments(config, "components")
    return replace(config, **asdict(best_mixture(y, candidates, generator=generator, **own)))


def _check_components(config: GMMConfig, data: Dataset) -> None:
    if config.components is not None:
        check_components(config.components, len(data.train))


_KERNELS, _EIGEN = 2.5e8, 1.5e-10  # Kernel values a second; seconds a cubed feature of eigh.


def _forecast_kde(config: KDEConfig, data: Dataset) -> tuple[float, float]:
    """Foretell some ten evaluations of the width, and the validation."""
    n = len(data.train)
    widths = 0 if config.bandwidth else 10 * max(8e6, 256.0 * n)
    return (widths + min(4_000, len(data.validation)) * n) / _KERNELS, 0.0


def _forecast_gmm(config: GMMConfig, data: Dataset) -> tuple[float, float]:
    """Foretell the eigenvectors of covariances, most of the time where there are many features."""
    tied, whole = config.covariance == "tied", config.covariance in (None, "full", "tied")
    one = _EIGEN * data.features**3 * (1.0 if whole else 0.1)  # Only the factor, for a draw.
    counts = [config.components] if config.components else [*_COMPONENTS[True], 1]
    return sum(2 * (1 if tied else count) * one for count in counts), 2 * one


RECIPES = (
    Recipe(
        name="empirical",
        paradigm="classic",
        summary="the training set itself: the model that memorises",
        config=EmpiricalConfig,
        build=lambda _config, shape: Empirical((shape.features,)),
    ),
    Recipe(
        name="kde",
        paradigm="classic",
        summary="a small Gaussian on every training example",
        config=KDEConfig,
        build=lambda config, shape: KDE(shape.features, **arguments(config)),
        forecast=_forecast_kde,
        chosen_by=figures.LOG_PROB,
    ),
    Recipe(
        name="gmm",
        paradigm="classic",
        summary="a mixture of Gaussians, by EM",
        config=GMMConfig,
        build=lambda config, shape: GaussianMixture(shape.features, **arguments(config)),
        choose=_choose,
        listed={"components": 1, "covariance": "full", "least_variance": 1e-6},
        forecast=_forecast_gmm,
        check=_check_components,
        chosen_by=figures.LOG_PROB,
    ),
    Recipe(
        name="naive-bayes",
        paradigm="classic",
        summary="independent normal columns given the label, by counting",
        config=NaiveBayesConfig,
        build=lambda config, shape: NaiveBayes(  # Without labels, of one label.
            DiagonalGaussians(max(1, len(shape.labels)), shape.features, **arguments(config))
        ),
        chosen_by=figures.LOG_PROB,
    ),
)
