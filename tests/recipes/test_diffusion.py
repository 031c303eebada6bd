import pytest

from ancestral.diffusion import SAMPLERS, evaluations
from ancestral.errors import ConfigError
from ancestral.recipes.families.diffusion import DiffusionConfig, DiffusionSampling, ScoreConfig


def test_every_sampler_can_be_set() -> None:
    for name in SAMPLERS:
        assert DiffusionSampling(sampler=name).sampler == name


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("most", [1, 2, 7, 20])
def test_within_so_many_evaluations_are_as_many_steps_as_fit(name: str, most: int) -> None:
    found = DiffusionSampling(sampler=name, guidance=2.0).within(most)
    assert evaluations(found.sampler, found.steps) <= most
    assert evaluations(found.sampler, found.steps + 1) > most
    assert found.guidance == 2.0


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"chain": 1}, "chain must be at least 2, got 1"),
        ({"chain": 20, "schedule": "linear"}, "chain must be at least 21, got 20"),
        (
            {"schedule": "learned", "weighting": "v"},
            "weighting must be bound where the schedule is learned, got v",
        ),
        ({"dropped": 1.0}, r"dropped must be in \[0, 1\), got 1"),
    ],
)
def test_settings_are_checked(wrong: dict[str, object], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        DiffusionConfig(**wrong)


def test_settings_of_the_score_and_of_draws_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"dropped must be in \[0, 1\)"):
        ScoreConfig(dropped=-0.1)
    with pytest.raises(ConfigError, match="steps must be at least 1, got 0"):
        DiffusionSampling(steps=0)
    with pytest.raises(ConfigError, match="guidance must be at least 0, got -1"):
        DiffusionSampling(guidance=-1)
