import pytest

from ancestral.data.columns import Vector
from ancestral.data.fields import Image, Shape, labelled
from ancestral.errors import ConfigError
from ancestral.recipes.families.adversarial import GANConfig
from ancestral.recipes.families.autoencoders import (
    BetaVAEConfig,
    HierarchicalVAEConfig,
    IWAEConfig,
    VAEConfig,
)
from ancestral.recipes.families.density import GMMConfig, KDEConfig, NaiveBayesConfig
from ancestral.recipes.families.discrete import BayesNetConfig
from ancestral.recipes.families.image_autoencoders import ImageVAEConfig
from ancestral.recipes.families.language import GPTConfig
from ancestral.recipes.listing import EXAMPLES
from ancestral.recipes.recipe import build_model, resolve
from ancestral.recipes.table import RECIPES
from ancestral.settings import unset

PLANE = Shape({"x": Vector.of_numbers("ab")})
DIGITS = Shape(labelled(Image(channels=1, height=8, width=8, levels=17), "0123456789"))
STATES = Shape({"x": Vector.of_states("ab", (("no", "yes"), ("1", "2")))})


@pytest.mark.parametrize("name", RECIPES)
def test_resolving_fills_in_everything_and_is_stable(name: str) -> None:
    recipe = RECIPES[name]
    left = []
    for kind in recipe.kinds:
        once = resolve(recipe.config(), EXAMPLES[kind])
        assert resolve(once, EXAMPLES[kind]) == once
        left.append(set(unset(once)))
        assert left[-1] or not recipe.listed
    assert set.union(*left) == set(recipe.listed), "what is left is chosen from the data"


def test_an_unresolved_config_builds_nothing() -> None:
    with pytest.raises(TypeError, match="vae: latent, hidden must be chosen before it is built"):
        build_model(RECIPES["vae"], VAEConfig(), PLANE, 0, {})


def test_what_is_given_is_kept() -> None:
    assert VAEConfig(latent=5, hidden=(7,)).resolved(PLANE).latent == 5
    assert VAEConfig(size="tiny").resolved(PLANE).hidden == (32, 32)
    assert GMMConfig(least_variance=0.5).resolved(DIGITS).least_variance == 0.5
    assert resolve(KDEConfig(bandwidth="scott"), PLANE).bandwidth == "scott"
    assert ImageVAEConfig(width=3).resolved(DIGITS).width == 3
    assert GANConfig(latent=9).resolved(DIGITS).latent == 9
    assert GPTConfig(positions="learned", tied=False).resolved(STATES).parts == "modern"


def test_the_parts_of_a_gpt_come_with_its_size() -> None:
    def parts(config: GPTConfig) -> tuple[object, ...]:
        c = config.resolved(STATES)
        return c.positions, c.norm, c.feed_forward, c.qk_norm, c.tied, c.dropout

    book, modern = ("learned", "layer", "gelu", False, False), ("rotary", "rms", "swiglu", True)
    assert parts(GPTConfig(size="medium")) == (*book, 0.1)
    assert parts(GPTConfig(size="large", parts="modern")) == (*modern, True, 0.1)
    assert parts(GPTConfig()) == (*modern, True, 0.3)
    assert parts(GPTConfig(tied=False)) == (*modern, False, 0.3)
    assert parts(GPTConfig(size="tiny", parts="book", dropout=0.0)) == (*book, 0.0)
    assert GPTConfig(heads=2, width=50).resolved(STATES).positions == "learned"  # 25 is odd.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KDEConfig(bandwidth=0.0), "bandwidth must be above 0, got 0.0"),
        (lambda: NaiveBayesConfig(smoothing=0.0), "smoothing must be above 0, got 0.0"),
        (lambda: GMMConfig(components=0), "components must be at least 1, got 0"),
        (lambda: GMMConfig(least_variance=2.0), "least_variance must be above 0 and at most 1"),
        (lambda: VAEConfig(hidden=()), "hidden must be one or more numbers of at least 1"),
        (lambda: VAEConfig(decoder_std=-1.0), "decoder_std must be above 0, got -1.0"),
        (lambda: BetaVAEConfig(beta=-1.0), "beta must be at least 0, got -1.0"),
        (lambda: HierarchicalVAEConfig(warmup=2.0), "warmup must be in [0, 1], got 2.0"),
        (lambda: IWAEConfig(draws=0), "draws must be at least 1, got 0"),
        (lambda: ImageVAEConfig(width=0), "width must be at least 1, got 0"),
        (lambda: ImageVAEConfig(above=(3, 0)), "above must be one or more numbers of at"),
        (lambda: ImageVAEConfig(draws=0), "draws must be at least 1, got 0"),
        (
            lambda: ImageVAEConfig(draws=2, beta=4.0),
            "beta must be 1.0 with several draws, got 4.0",
        ),
        (lambda: BayesNetConfig(structure="k2"), "structure must be hill-climb, chow-liu or a"),
        (lambda: BayesNetConfig(edges=(0, 1, 2)), "edges must be pairs of a parent and its child"),
        (lambda: BayesNetConfig(pseudo_count=-1), "pseudo_count must be at least 0, got -1"),
        (lambda: BayesNetConfig(max_parents=0), "max_parents must be at least 1, got 0"),
        (lambda: GANConfig(penalty=-1.0), "penalty must be at least 0, got -1.0"),
        (lambda: GANConfig(updates=(0, 1)), "updates must be two numbers of at least 1"),
    ],
)
def test_values_out_of_range_are_refused(make: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()  # pyright: ignore[reportCallIssue]
    assert message in str(caught.value)
