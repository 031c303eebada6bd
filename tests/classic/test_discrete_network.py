import pytest
import torch

from ancestral.classic import DiscreteNetwork
from ancestral.errors import CapabilityError, DataError
from ancestral.networks import expected_counts


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


def test_missing_cells_are_summed_out() -> None:
    """Against the sum over the states that a gap can stand for."""
    x = rows(300)
    model = DiscreteNetwork([2, 2, 2], edges=[(0, 2), (1, 2)]).fit(x)
    every = torch.cartesian_prod(*[torch.arange(2)] * 3)
    p = model.log_prob(every).exp()
    gaps = torch.cartesian_prod(*[torch.arange(-1, 2)] * 3)
    expected = torch.stack([p[((every == row) | (row < 0)).all(dim=1)].sum() for row in gaps])
    torch.testing.assert_close(model.log_prob(gaps).exp(), expected)


def test_gaps_are_filled_by_em() -> None:
    """At its maximum, the tables are what the rows themselves are expected to count."""
    x = rows(400)
    x[torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) < 0.2] = -1
    model = DiscreteNetwork([2, 2, 2], edges=[(0, 2), (1, 2)], pseudo_count=1).fit(
        x, generator=torch.Generator().manual_seed(0)
    )
    counts, _ = expected_counts(model.network, dict(zip(model.names, x.T.numpy(), strict=True)))
    for name, table in counts.items():
        smooth = torch.from_numpy(table + 1)
        torch.testing.assert_close(
            smooth / smooth.sum(-1, keepdim=True),
            model.table(name).probabilities,
            # A start ends where a sweep gains 1e-8 nats a row: sqrt(1e-8) is what is left.
            atol=1e-3,
            rtol=0,
        )
    again = DiscreteNetwork([2, 2, 2], edges=[(0, 2), (1, 2)]).fit(
        x, generator=torch.Generator().manual_seed(0)
    )
    assert torch.equal(again.log_prob(x), model.log_prob(x))


def test_a_latent_node_explains_what_no_edge_does() -> None:
    """Two groups, three columns that depend on nothing but the group: more likely than apart."""
    generator = torch.Generator().manual_seed(0)
    group = torch.randint(2, (1000, 1), generator=generator)
    x = (torch.rand(1000, 3, generator=generator) < 0.15 + 0.7 * group).long()
    latent = DiscreteNetwork([2, 2, 2], edges=[(3, 0), (3, 1), (3, 2)], latent={"group": 2})
    latent.fit(x, generator=generator)
    apart = DiscreteNetwork([2, 2, 2]).fit(x)
    assert latent.log_prob(x).sum() > apart.log_prob(x).sum() + 100
    shown = latent.table("x1").probabilities[:, 1].sort().values
    # 500 rows a group, known to about nine in ten: errors of 0.02, and five of them.
    torch.testing.assert_close(shown, torch.tensor([0.15, 0.85]).double(), atol=0.1, rtol=0)
    assert latent.sample(7).shape == (7, 3)
    group_of = int(latent.table("x1").probabilities[:, 1].argmax())
    draws = latent.sample(500, given={"group": torch.tensor(group_of)}, generator=generator)
    assert bool((draws.double().mean(dim=0) > 0.7).all())
    assert latent.graph["p"].parents("x2") == ("group",)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"edges must join columns 0 to 1, got \(0, 2\)"):
        DiscreteNetwork([2, 2], edges=[(0, 2)])
    with pytest.raises(ValueError, match="cycle"):
        DiscreteNetwork([2, 2], edges=[(0, 1), (1, 0)])
    with pytest.raises(ValueError, match="columns and latent nodes must differ, got 'x1' twice"):
        DiscreteNetwork([2, 2], latent={"x1": 2})
    with pytest.raises(ValueError, match="starts must be at least 1, got 0"):
        DiscreteNetwork([2, 2], starts=0)
    with pytest.raises(ValueError, match="2 columns need as many names, got 1"):
        DiscreteNetwork([2, 2], names=["a"])
    model = DiscreteNetwork([2, 2])
    with pytest.raises(DataError, match="column 'x2' must hold states 0 to 1"):
        model.log_prob(torch.tensor([[0, 2]]))
    with pytest.raises(DataError, match="'x1' must hold states 0 to 1, got 2"):
        model.fit(torch.tensor([[2, 0]]))
    with pytest.raises(CapabilityError, match="nonsense"):
        model.fit(torch.tensor([[1, 0]]), given={"nonsense": torch.tensor(0)})
