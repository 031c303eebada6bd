import copy

import pytest
import torch

from ancestral.adversarial.conditional import ConditionalGAN
from ancestral.adversarial.rules import GameRules
from ancestral.capabilities import Batch, HasDensity, HasGraph, Samples, Trains


def mixture(n: int, generator: torch.Generator) -> Batch:
    """Two well separated classes on a line."""
    label = torch.randint(2, (n,), generator=generator)
    x = 4.0 * label[:, None] - 2 + 0.3 * torch.randn(n, 1, generator=generator)
    return Batch(x, {"label": label})


def trained(*, iterations: int) -> ConditionalGAN:
    torch.manual_seed(0)
    gan = ConditionalGAN(1, classes=2, latent=2, hidden=(32, 32), rules=GameRules(penalty=0.1))
    noise = torch.Generator().manual_seed(0)
    players = gan.players()
    optimizers = [torch.optim.Adam(p.module.parameters(), 0, (0.0, 0.99)) for p in players]
    for number in range(iterations):
        for player, optimizer in zip(players, optimizers, strict=True):
            optimizer.param_groups[0]["lr"] = 5e-3 * (1 - number / iterations)
            loss = player.loss(mixture(128, noise), noise)
            optimizer.zero_grad()
            (loss.total / loss.weight).backward(inputs=list(player.module.parameters()))
            optimizer.step()
    return gan


def test_graph_has_the_label_as_a_root_apart_from_z() -> None:
    graph = ConditionalGAN(2, classes=3).graph
    assert set(graph["p"].edges) == {("z", "x"), ("label", "x")}
    assert set(graph["q"].edges) == {("x", "y"), ("label", "y")}
    assert graph["p"].d_separated(["z"], ["label"])


def test_capabilities() -> None:
    gan = ConditionalGAN(2, classes=3)
    for capability in (Samples, Trains, HasGraph):
        assert isinstance(gan, capability)
    assert not isinstance(gan, HasDensity)
    assert not hasattr(gan, "elbo")


def test_generated_labels_follow_the_fitted_table() -> None:
    gan = ConditionalGAN(2, classes=3)
    gan.fit_labels(torch.tensor([1.0, 0.0, 3.0]))
    label = gan.p.sample(4_000)["label"]
    shares = label.bincount(minlength=3) / 4_000
    # Five standard errors of a share: 0.034.
    torch.testing.assert_close(shares, torch.tensor([0.25, 0, 0.75]), atol=0.034, rtol=0)


def test_learned_classes_stand_at_their_places_and_mismatches_are_told() -> None:
    gan = trained(iterations=250)
    for label, place in ((0, -2.0), (1, 2.0)):
        x = gan.sample(500, given={"label": torch.tensor(label)})
        assert x.mean().item() == pytest.approx(place, abs=0.4)
    batch = mixture(500, torch.Generator().manual_seed(1))
    label = batch.given["label"]
    matched = gan.critic.logits(batch.x, label)
    mismatched = gan.critic.logits(batch.x, 1 - label)
    # A pair that never occurs is told from one that does, for nearly every example.
    assert (matched > mismatched).double().mean() > 0.95


def test_a_copy_plays_with_its_own_weights() -> None:
    gan = ConditionalGAN(2, classes=3, hidden=(8, 8))
    other = copy.deepcopy(gan)
    batch = Batch(torch.randn(4, 2), {"label": torch.tensor([0, 1, 2, 0])})
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    players = other.players()
    assert players[0].module is other.critic
    assert players[0].loss(batch, None).metrics["real"] == 0.5
    assert gan.players()[0].loss(batch, None).metrics["real"] != 0.5


def test_images_keep_their_shape() -> None:
    gan = ConditionalGAN((1, 4, 4), classes=2, hidden=(8,))
    assert gan.sample(3).shape == (3, 1, 4, 4)
    batch = Batch(torch.randn(4, 1, 4, 4), {"label": torch.tensor([0, 1, 1, 0])})
    for player in gan.players():
        assert player.loss(batch, None).total.isfinite()


@pytest.mark.parametrize(("argument", "value"), [("classes", 0), ("latent", 0)])
def test_arguments_outside_their_range_are_named(argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{argument} must be"):
        ConditionalGAN(2, **({"classes": 2} | {argument: value}))


def test_counts_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="3 numbers with a positive sum"):
        ConditionalGAN(2, classes=3).fit_labels(torch.zeros(3))
