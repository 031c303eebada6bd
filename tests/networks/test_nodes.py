import pytest
import torch
from torch.distributions import Normal

from ancestral.networks import Deterministic, LinearGaussian, Node, Table


def test_impossible_states_have_log_probability_minus_infinity() -> None:
    table = Table([[1.0, 0.0], [0.25, 0.75]])
    log_p = table(torch.tensor([0, 1])).log_prob(torch.tensor([1, 1]))
    assert log_p.tolist() == [-torch.inf, pytest.approx(torch.tensor(0.75).log().item())]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0.5, 0.4], "sum to 1, got sum 0.9"),
        ([1.5, -0.5], "non-negative"),
        ([[0.5, 0.5], [float("nan"), 1.0]], "got sum nan"),
        (1.0, "at least one state"),
        (torch.zeros(2, 0), "at least one state"),
    ],
)
def test_rows_off_the_simplex_are_refused(rows: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Table(rows)


def test_names_of_states_are_checked() -> None:
    assert "no" in repr(Table([0.5, 0.5], states=["no", "yes"]))
    with pytest.raises(ValueError, match="as many names"):
        Table([0.5, 0.5], states=["a"])
    with pytest.raises(ValueError, match="as many names"):
        Table([0.5, 0.5], states=["a", "a"])
    with pytest.raises(ValueError, match="takes 0 parents, got 1"):
        Table([0.5, 0.5])(torch.tensor([0]))


def test_linear_gaussian_is_linear_in_its_parents() -> None:
    node = LinearGaussian([2.0, -1.0], bias=0.5, scale=0.3)
    a, b = torch.randn(7), torch.randn(7)
    y = torch.randn(7)
    expected = Normal(2 * a - b + 0.5, 0.3).log_prob(y)
    torch.testing.assert_close(node(a, b).log_prob(y), expected)
    with pytest.raises(ValueError, match="scale must be positive, got 0"):
        LinearGaussian(scale=0.0)


def test_factorised_distributions_become_independent_over_the_event() -> None:
    node = Node("x", LinearGaussian([1.0]), parents=("z",), event_shape=(3,))
    distribution = node.distribution([torch.zeros(5, 3)])
    assert distribution.batch_shape == (5,)
    assert distribution.event_shape == (3,)


def test_deterministic_nodes_say_so() -> None:
    assert Node("y", Deterministic(torch.sin)).deterministic
    assert not Node("y", LinearGaussian()).deterministic
