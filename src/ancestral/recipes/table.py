"""The one table of models: a name, what it needs, how it is built and how it is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from torch import Generator, Tensor, nn

from ancestral.data.dataset import Dataset
from ancestral.data.fields import Kind, Shape
from ancestral.data.transforms import Transform
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as by
from ancestral.recipes import configs, text_configs, text_wiring, wiring
from ancestral.recipes.settings import nearest
from ancestral.training.budget import Budget
from ancestral.training.options import Options

Choice: TypeAlias = Literal[
    "elbo", "log_prob", "loss", "sliced_wasserstein", "bits_per_char", "label_log_prob"
]
"""Figures, on the validation split, by which weights can be chosen."""

CRITERIA = {
    str(each): each
    for each in (by.ELBO, by.LOG_PROB, by.LABEL_LOG_PROB, by.SLICED_WASSERSTEIN, by.BITS_PER_CHAR)
}
"""The figures by these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a name becomes a fitted model.

    Args:
        name: The fixed name.
        paradigm: The family it belongs to.
        summary: One sentence.
        config: Its settings.
        build: Config and shape of the data to a model in model units.
        transform: Fitted on the training split: user units to model units.
        choose: Completes the config from the training split in model units, before the fit.
        count: Fits by counting what is not trained by gradients.
        check: Refuses data that the settings do not fit, before anything is written.
        kinds: Data that it can model.
        conditional: Whether it models p(label | x) and not x itself.
        chosen_by: The validation figure that chooses the kept weights (for estimators: the one
            that is reported); None where there is none.
        options: Default settings of the training, by kind; empty for closed-form estimators.
        budget: Default end of the training, by kind.
    """

    name: str
    paradigm: str
    summary: str
    config: type[Any]
    build: Callable[[Any, Shape], nn.Module]
    transform: Callable[[Dataset], Transform] = wiring.flat
    choose: Callable[[Any, Tensor, Generator], Any] | None = None
    count: Callable[[nn.Module, Dataset], None] | None = None
    check: Callable[[Any, Dataset], None] | None = None
    kinds: tuple[Kind, ...] = ("vectors", "images")
    conditional: bool = False
    chosen_by: Choice | None = None
    options: Mapping[Kind, Options] = field(default_factory=dict)
    budget: Mapping[Kind, Budget] = field(default_factory=dict)

    @property
    def trains(self) -> bool:
        """Whether it can be trained by gradients; else a closed form or EM fits it."""
        return bool(self.options)

    @property
    def tunes(self) -> bool:
        """Whether a training can begin at the weights of another run."""
        return self.trains and self.kinds == ("text",)

    def trains_with(self, config: configs.Config) -> bool:
        """Return whether these settings are trained by gradients."""
        return self.trains and not (isinstance(config, configs.HasOptimum) and config.closed)

    def options_of(self, config: configs.Config, kind: Kind) -> Options:
        """Return the default settings of the training of a model of this size."""
        options = self.options[kind]
        if isinstance(config, configs.HasRate):
            return replace(options, learning_rate=config.learning_rate)
        return options


def _of_text(
    name: str,
    summary: str,
    config: type[Any],
    build: Callable[[Any, Shape], nn.Module],
    *,
    options: Options | None = None,
) -> Recipe:
    """Return the recipe of a language model: counted, or trained by gradients."""
    return Recipe(
        name=name,
        paradigm="autoregressive" if options else "classic",
        summary=summary,
        config=config,
        build=build,
        transform=text_wiring.tokens,
        kinds=("text",),
        chosen_by="bits_per_char",
        options={"text": options} if options else {},
        budget={"text": Budget(steps=2_000)} if options else {},
    )


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="empirical",
            paradigm="classic",
            summary="the training set itself: the model that memorises",
            config=configs.EmpiricalConfig,
            build=wiring.empirical,
        ),
        Recipe(
            name="kde",
            paradigm="classic",
            summary="a small Gaussian on every training example",
            config=configs.KDEConfig,
            build=wiring.kde,
            chosen_by="log_prob",
        ),
        Recipe(
            name="gmm",
            paradigm="classic",
            summary="a mixture of Gaussians with full covariances, by EM",
            config=configs.GMMConfig,
            build=wiring.gmm,
            choose=wiring.choose_components,
            check=wiring.enough_for_components,
            chosen_by="log_prob",
        ),
        Recipe(
            name="bayes-net",
            paradigm="classic",
            summary="a Bayesian network of probability tables, for columns of states",
            config=configs.BayesNetConfig,
            build=wiring.bayes_net,
            transform=wiring.states,
            choose=wiring.choose_edges,
            check=wiring.enough_cells,
            kinds=("tables",),
            chosen_by="log_prob",
        ),
        Recipe(
            name="naive-bayes",
            paradigm="classic",
            summary="independent normal columns given the label, by counting",
            config=configs.NaiveBayesConfig,
            build=wiring.naive_bayes,
            chosen_by="log_prob",
        ),
        Recipe(
            name="classifier",
            paradigm="classic",
            summary="the label given x, by logistic regression or a network; not a model of x",
            config=configs.ClassifierConfig,
            build=wiring.classifier,
            transform=wiring.noiseless,
            check=wiring.enough_labels,
            conditional=True,
            chosen_by="label_log_prob",
            options={
                "vectors": wiring.CLASSIFIER_OPTIONS,
                "images": replace(wiring.CLASSIFIER_OPTIONS, validate_every=200),
            },
            budget={"vectors": Budget(steps=2_000), "images": Budget(steps=5_000)},
        ),
        Recipe(
            name="vae",
            paradigm="autoencoders",
            summary="variational autoencoder, fully connected",
            config=configs.VAEConfig,
            build=wiring.vae,
            chosen_by="elbo",
            options={
                "vectors": Options(learning_rate=2e-3, ema_decay=0.999),
                "images": Options(batch_size=128, ema_decay=0.999, validate_every=200),
            },
            budget={"vectors": Budget(steps=10_000), "images": Budget(steps=5_000)},
        ),
        Recipe(
            name="image-vae",
            paradigm="autoencoders",
            summary="convolutional variational autoencoder, conditional on the label",
            config=configs.ImageVAEConfig,
            build=wiring.image_vae,
            count=wiring.count_labels,
            transform=wiring.grey,
            kinds=("images",),
            chosen_by="elbo",
            options={
                "images": Options(
                    batch_size=128,
                    ema_decay=0.999,
                    validate_every=200,
                    channels_last=True,
                    large_products=True,
                )
            },
            budget={"images": Budget(steps=3_000)},
        ),
        Recipe(
            name="gan",
            paradigm="adversarial",
            summary="generative adversarial network, fully connected; no density",
            config=configs.GANConfig,
            build=wiring.gan,
            check=wiring.enough_for_a_distance,
            chosen_by="sliced_wasserstein",
            options={
                "vectors": Options(
                    batch_size=500,
                    learning_rate=2e-3,
                    betas=(0.5, 0.99),
                    ema_decay=0.999,
                    weight_decay=0.0,
                ),
                "images": Options(
                    batch_size=128,
                    betas=(0.5, 0.99),
                    ema_decay=0.999,
                    weight_decay=0.0,
                    validate_every=200,
                ),
            },
            budget={"vectors": Budget(steps=10_000), "images": Budget(steps=5_000)},
        ),
        _of_text(
            "bigram", "counts of pairs of tokens", text_configs.BigramConfig, text_wiring.bigram
        ),
        _of_text(
            "ngram",
            "counts of the last tokens, with the smoothing of your choice",
            text_configs.NGramConfig,
            text_wiring.ngram,
        ),
        _of_text(
            "kneser-ney",
            "trigrams under interpolated modified Kneser-Ney smoothing",
            text_configs.KneserNeyConfig,
            text_wiring.kneser_ney,
        ),
        _of_text(
            "rnn",
            "Elman's recurrent network, the book's",
            text_configs.RecurrentConfig,
            text_wiring.recurrent("elman"),
            options=text_wiring.OPTIONS,
        ),
        _of_text(
            "lstm",
            "recurrent network with gated memory",
            text_configs.RecurrentConfig,
            text_wiring.recurrent("lstm"),
            options=text_wiring.OPTIONS,
        ),
        _of_text(
            "gru",
            "recurrent network with two gates",
            text_configs.RecurrentConfig,
            text_wiring.recurrent("gru"),
            options=text_wiring.OPTIONS,
        ),
        _of_text(
            "gpt",
            "Transformer that predicts the next token, the book's by default",
            text_configs.GPTConfig,
            text_wiring.gpt,
            options=text_wiring.GPT_OPTIONS,
        ),
    )
}
"""Every model that ``ancestral fit`` knows."""

DEFAULTS: dict[Kind, tuple[str, ...]] = {
    "vectors": ("kde", "gmm", "vae", "gan"),
    "images": ("kde", "gmm", "image-vae", "gan"),
    "tables": ("bayes-net",),
    "text": ("bigram", "kneser-ney", "gru", "gpt"),
}
"""The models that ``ancestral compare`` fits if none is named."""


def recipe_named(name: str) -> Recipe:
    """Return a recipe.

    Raises:
        ConfigError: If there is none of that name; the nearest are offered.

    Example:
        >>> recipe_named("vae").paradigm
        'autoencoders'
    """
    if name not in RECIPES:
        raise ConfigError(f"unknown model {name!r}{nearest(name, RECIPES, otherwise=99)}")
    return RECIPES[name]
