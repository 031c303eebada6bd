import pytest
import torch

from ancestral.classic import DiscreteNetwork
from ancestral.errors import CapabilityError, DataError


def rows(n: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(2, (n, 3), generator=generator)
    x[:, 2] = (x[:, 0] + x[:, 1]) % 2
    return x


def test_the_joint_table_of_a_complete_graph_is_the_data_itself() -> None:
    x = rows(200)
    model = DiscreteNetwork([2, 2, 2], edges=[(0, 1), (0, 2), (1, 2)], pseudo_count=0).fit(x)
    distinct, counts = x.unique(dim=0, return_counts=True)
    torch.testing.assert_close(model.log_prob(distinct).exp(), counts.double() / 200)


def test_pseudo_counts_leave_nothing_impossible() -> None:
    x = torch.zeros(5, 2, dtype=torch.long)
    p = DiscreteNetwork([2, 2], pseudo_count=1).fit(x).log_prob(torch.tensor([[1, 1]])).exp()
    assert p.item() == pytest.approx((1 / 7) ** 2)


def test_draws_can_be_given_any_column() -> None:
    model = DiscreteNetwork([2, 2, 2], edges=[(0, 2), (1, 2)], pseudo_count=0).fit(rows(500))
    draws = model.sample(50, given={"x3": torch.tensor(1)})
    assert bool(((draws[:, 0] + draws[:, 1]) % 2 == 1).all())


def test_bytes_are_states() -> None:
    x = rows(50)
    model = DiscreteNetwork([2, 2, 2], edges=[(1, 0)])
    assert torch.equal(model.fit(x.byte()).log_prob(x.byte()), model.fit(x).log_prob(x))


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"edges must join columns 0 to 1, got \(0, 2\)"):
        DiscreteNetwork([2, 2], edges=[(0, 2)])
    with pytest.raises(ValueError, match="cycle"):
        DiscreteNetwork([2, 2], edges=[(0, 1), (1, 0)])
    with pytest.raises(ValueError, match="2 columns need as many names, got 1"):
        DiscreteNetwork([2, 2], names=["a"])
    model = DiscreteNetwork([2, 2])
    with pytest.raises(DataError, match="column 'x2' must hold states 0 to 1"):
        model.log_prob(torch.tensor([[0, 2]]))
    with pytest.raises(DataError, match="'x1' must hold states 0 to 1, got 2"):
        model.fit(torch.tensor([[2, 0]]))
    with pytest.raises(CapabilityError, match="nonsense"):
        model.fit(torch.tensor([[1, 0]]), given={"nonsense": torch.tensor(0)})
