import pytest

from ancestral.errors import ConfigError
from ancestral.training.budget import Budget


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), (" 1.5 m ", 90)]
)
def test_times_are_read(text: str, seconds: float) -> None:
    assert Budget.parse(text) == Budget(seconds=seconds)


@pytest.mark.parametrize("text", ["", "30", "s", "1d", "1e3s", "1h30m", "nan s"])
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="such as 30s"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["0s", "-5m"])
def test_a_time_that_is_not_positive_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"above 0, got '{text}'"):
        Budget.parse(text)


@pytest.mark.parametrize("fields", [{}, {"steps": 3, "epochs": 1.0}])
def test_exactly_one_is_set(fields: dict) -> None:
    with pytest.raises(ConfigError, match="exactly one"):
        Budget(**fields)


@pytest.mark.parametrize(
    "fields", [{"steps": 0}, {"epochs": -1.0}, {"seconds": float("inf")}, {"seconds": float("nan")}]
)
def test_a_budget_is_finite_and_above_zero(fields: dict) -> None:
    with pytest.raises(ConfigError, match="finite and above 0"):
        Budget(**fields)


def test_epochs_are_rounded_up_to_whole_steps() -> None:
    assert Budget(epochs=2).total_steps(100, 10) == 20
    assert Budget(epochs=1).total_steps(101, 10) == 11
    assert Budget(epochs=0.001).total_steps(100, 10) == 1
    assert Budget(steps=7).total_steps(100, 10) == 7
    assert Budget(seconds=7).total_steps(100, 10) is None


def test_progress_follows_the_steps_or_the_clock() -> None:
    assert Budget(steps=10).progress(5, 10, 99.0) == 0.5
    assert Budget(seconds=10).progress(5, None, 2.5) == 0.25
    assert Budget(seconds=10).progress(5, None, 11.0) == 1.0
