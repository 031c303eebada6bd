import math

import pytest
import torch
from torch import Tensor

from ancestral.capabilities import Batch, Encodes, HasBound, HasDensity, HasGraph, Samples, Trains
from ancestral.flows import Affine, Autoregressive, Composed, Flow, RationalQuadratic

pytestmark = pytest.mark.usefixtures("float64")


def flow(classes: int = 0, given: dict[str, int] | None = None) -> Flow:
    context = classes + sum((given or {}).values())
    layers = [
        Autoregressive(groups, RationalQuadratic(bins=4), hidden=(16,), context=context)
        for groups in ([0, 1], [1, 0])
    ]
    return Flow(Composed(layers), (2,), classes=classes, given=tuple(given or ()))


def trained(model: Flow, batch: Batch, steps: int = 150) -> Flow:
    (player,) = model.players()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        player.loss(batch, None).total.div(len(batch.x)).backward()
        optimizer.step()
    return model


def clusters(n: int) -> Batch:
    label = torch.arange(n) % 2
    return Batch(0.4 * torch.randn(n, 2) + 2 * label[:, None] - 1, {"label": label})


def test_capabilities_and_graph() -> None:
    model = flow(classes=2, given={"place": 3})
    for capability in (Samples, HasDensity, Encodes, Trains, HasGraph):
        assert isinstance(model, capability)
    assert not isinstance(model, HasBound)
    assert model.graph["p"].parents("x") == ("label", "place")
    assert tuple(model.needs) == ("place",)
    assert flow().graph["p"].names == ("x",)


def test_without_a_label_the_density_sums_over_the_labels() -> None:
    model, x = flow(classes=3), torch.randn(5, 2)
    model.fit_labels(torch.tensor([1.0, 2.0, 5.0]))
    each = torch.stack(
        [model.log_prob(x, given={"label": torch.tensor(k)}).exp() for k in range(3)], dim=-1
    )
    wanted = (each * torch.tensor([0.125, 0.25, 0.625])).sum(-1).log()
    torch.testing.assert_close(model.log_prob(x), wanted)


def test_it_learns_where_each_label_lies() -> None:
    torch.manual_seed(0)
    model = trained(flow(classes=2), clusters(400))
    for label in (0, 1):
        x = model.sample(2_000, given={"label": torch.tensor(label)})
        # Standard error of a mean: 0.4 / sqrt(2000) = 0.01; of the fit 0.4 / sqrt(200) = 0.03.
        torch.testing.assert_close(x.mean(0), torch.full((2,), 2.0 * label - 1), atol=0.15, rtol=0)


def test_it_follows_what_is_given_beside_the_data() -> None:
    torch.manual_seed(0)
    place = torch.randn(400, 1)
    batch = Batch(place.expand(-1, 2) + 0.1 * torch.randn(400, 2), {"place": place})
    model = trained(flow(given={"place": 1}), batch)
    x = model.sample(3, given={"place": torch.tensor([[-1.0], [0.0], [1.0]])})
    assert (x[1] > x[0]).all()
    assert (x[2] > x[1]).all()


def test_noise_and_data_are_two_views_of_one_example() -> None:
    model, x = flow(classes=2), torch.randn(6, 2)
    given = {"label": torch.arange(6) % 2}
    z = model.encode(x, given=given)
    assert z.batch_shape == (6,)
    torch.testing.assert_close(model.decode(z.mean, given=given), x)


def test_noise_of_the_fitted_data_is_standard_normal() -> None:
    torch.manual_seed(0)
    batch = clusters(1_000)
    z = trained(flow(classes=2), batch).encode(batch.x, given=batch.given).mean
    # Of 1,000 points means are known to 0.03 and deviations to 0.02; five of each, and the fit's.
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.2, rtol=0)
    torch.testing.assert_close(z.std(0), torch.ones(2), atol=0.15, rtol=0)


@pytest.mark.parametrize(
    ("classes", "given", "message"),
    [
        (0, {"label": torch.tensor(0)}, "only place can be given to this model, got"),
        (2, {}, "'place' must be given"),
        (2, {"place": torch.zeros(3, 1)}, r"'place' must be one number or have 5 rows"),
        (2, {"place": torch.zeros(5, 1), "label": torch.zeros(4)}, "'label' must have shape"),
        (2, {"place": torch.zeros(5, 1), "label": torch.tensor(2)}, "from 0 to 1"),
    ],
)
def test_what_cannot_be_given_is_refused(
    classes: int, given: dict[str, Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        flow(classes, {"place": 1}).log_prob(torch.zeros(5, 2), given=given)


def test_counts_need_classes_and_a_posterior_a_label() -> None:
    with pytest.raises(ValueError, match="no label"):
        flow().fit_labels(torch.ones(2))
    with pytest.raises(ValueError, match="'label' must be given"):
        flow(classes=2).encode(torch.zeros(5, 2))
    with pytest.raises(ValueError, match="nothing can be given"):
        Flow(Autoregressive([0], Affine(), hidden=(4,)), (1,)).log_prob(
            torch.zeros(5, 1), given={"label": torch.tensor(0)}
        )


@pytest.mark.parametrize("dropped", [0.25, 0.0])
def test_training_hides_as_many_labels_as_told(dropped: float) -> None:
    torch.manual_seed(0)
    layers = Autoregressive([0, 1], Affine(), hidden=(16,), context=3)
    model = Flow(layers, (2,), classes=3, dropped=dropped)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter))
    x, label = torch.randn(1, 2).expand(400, 2), torch.ones(400, dtype=torch.int64)
    (player,) = model.players()
    loss = player.loss(Batch(x, {"label": label}), torch.Generator().manual_seed(0))
    known = -model.log_prob(x[:1], given={"label": torch.tensor(1)})
    z, log_det = model.bijection.inverse_and_log_det(x[:1], torch.zeros(1, 3))
    hidden = (0.5 * z.square() + 0.5 * math.log(2 * math.pi)).sum() - log_det
    share = (loss.total / 400 - known) / (hidden - known)
    # Five standard errors of a share among 400.
    assert share.item() == pytest.approx(
        dropped, abs=5 * (dropped * (1 - dropped) / 400) ** 0.5 + 1e-9
    )


def test_a_share_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"dropped must lie in \[0, 1\), got 1"):
        Flow(Autoregressive([0, 1], Affine(), hidden=(16,)), (2,), dropped=1)


def test_the_order_of_an_autoregressive_map_moves_with_it_and_is_not_saved() -> None:
    layer = Autoregressive([1, 0, 1], RationalQuadratic(), hidden=(8,))
    assert [here.tolist() for here in layer.members.split(layer.sizes)] == [[1], [0, 2]]
    assert layer.to("meta").members.is_meta
    assert "members" not in layer.state_dict()
