from collections.abc import Callable

import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ancestral.autoencoders.image_vae import CrossEntropyImageVAE, ImageVAE
from ancestral.capabilities import (
    Batch,
    Encodes,
    HasBound,
    HasDensity,
    HasGraph,
    Samples,
    SamplesMeans,
    Trains,
)
from ancestral.nn import Upsampling

LEVELS = 17
Model = ImageVAE | CrossEntropyImageVAE


@pytest.mark.parametrize("decoder", ["transposed", "resize", "book"])
def test_the_border_inside_is_no_part_of_the_likelihood(decoder: Upsampling) -> None:
    torch.manual_seed(0)
    model = ImageVAE(size=2, levels=3, latent=1, width=2, decoder=decoder).double()
    x = torch.cartesian_prod(*[torch.arange(3) / 2] * 4).reshape(-1, 1, 2, 2).double()
    p = model.p.nodes["x"].distribution([torch.zeros(1, 1).double()])
    assert p.log_prob(x).exp().sum().item() == pytest.approx(1, abs=1e-6)


def small(classes: int = 3, **changes: int) -> ImageVAE:
    torch.manual_seed(0)
    return ImageVAE(size=8, classes=classes, levels=LEVELS, latent=2, width=4, **changes)


def images(n: int, size: int = 8, channels: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(9)
    return torch.randint(LEVELS, (n, channels, size, size), generator=generator) / (LEVELS - 1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("decoder", ["transposed", "resize", "book"])
@pytest.mark.parametrize(("size", "channels"), [(1, 1), (5, 1), (8, 1), (16, 3), (25, 3), (64, 3)])
def test_every_size_samples_and_learns(size: int, channels: int, decoder: str) -> None:
    model = ImageVAE(
        size=size,
        channels=channels,
        levels=LEVELS,
        latent=4,
        width=4,
        decoder=decoder,  # pyright: ignore
    )
    x = images(2, size, channels)
    assert model.sample(3).shape == (3, channels, size, size)
    (player,) = model.players()
    loss = player.loss(Batch(x), seeded())
    loss.total.backward()
    assert loss.weight == 2
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_samples_are_grey_levels_and_means_lie_between() -> None:
    model = small()
    sample, means = model.sample(20, generator=seeded()), model.sample_means(20)
    torch.testing.assert_close((sample * (LEVELS - 1)).round() / (LEVELS - 1), sample)
    for image in (sample, means):
        assert image.shape == (20, 1, 8, 8)
        assert 0 <= image.min() <= image.max() <= 1


def test_a_given_label_is_held_fixed() -> None:
    model = small()
    z = torch.randn(4, 2, generator=seeded())
    label = torch.tensor([0, 1, 2, 0])
    means = model.sample_means(4, given={"z": z, "label": label})
    torch.testing.assert_close(means, model.decode(z, given={"label": label}))
    alone = model.sample_means(4, given={"z": z, "label": torch.tensor(1)})
    torch.testing.assert_close(alone[1], means[1])
    assert (alone[0] - means[0]).abs().max() > 0


def test_labels_are_drawn_from_their_counted_shares() -> None:
    model = small()
    model.fit_labels(torch.tensor([0, 30, 10]))
    labels = model.joint.sample(4000, generator=seeded())["label"]
    assert (labels != 0).all()
    # Standard error sqrt(.75 * .25 / 4000) = 0.007.
    assert (labels == 1).double().mean().item() == pytest.approx(0.75, abs=0.035)
    assert model.label_probabilities.tolist() == [0.0, 0.75, 0.25]
    assert not hasattr(ImageVAE(size=8, latent=2, width=4), "label_probabilities")


def brute_force(model: ImageVAE, x: Tensor) -> Tensor:
    """log p(x | label) for each label [K, B], by a fine grid over the two latents."""
    side = torch.linspace(-5, 5, 40)
    z = torch.cartesian_prod(side, side)
    prior = -0.5 * z.square().sum(1) - torch.log(torch.tensor(2 * torch.pi))
    cell = (side[1] - side[0]).log() * 2
    rows = []
    for k in range(model.classes):
        p = model.p.nodes["x"].conditional(z, torch.full((len(z),), k))
        joint = torch.stack([p.log_prob(one) for one in x], 1) + prior[:, None]
        rows.append(joint.logsumexp(0) + cell)
    return torch.stack(rows)


@torch.no_grad()
def test_bounds_lie_below_the_likelihood_and_rise_to_it() -> None:
    model, x = small(), images(15)
    label = torch.arange(15) % 3
    exact = brute_force(model, x)
    given = {"label": label}
    of_label = exact[label, torch.arange(15)].mean()
    bound = model.elbo(x, given=given, draws=200, generator=seeded()).mean()
    few = model.estimate_log_prob(x, given=given, draws=4, generator=seeded()).mean()
    many = model.estimate_log_prob(x, given=given, draws=1000, generator=seeded()).mean()
    assert bound < few < many
    assert many.item() == pytest.approx(of_label.item(), abs=0.1)


@torch.no_grad()
def test_without_a_label_the_bounds_sum_over_the_table() -> None:
    model, x = small(), images(15)
    model.fit_labels(torch.tensor([5, 3, 2]))
    prior = torch.tensor([0.5, 0.3, 0.2]).log()
    exact = (brute_force(model, x) + prior[:, None]).logsumexp(0).mean()
    bound = model.elbo(x, draws=50, generator=seeded()).mean()
    many = model.estimate_log_prob(x, draws=1000, generator=seeded()).mean()
    assert bound < exact
    assert many.item() == pytest.approx(exact.item(), abs=0.1)


def test_capabilities_say_what_each_can_do() -> None:
    for model in (small(), CrossEntropyImageVAE(size=8, width=4)):
        for capability in (Samples, SamplesMeans, Encodes, Trains, HasGraph):
            assert isinstance(model, capability), capability
        assert not isinstance(model, HasDensity)
    assert isinstance(small(), HasBound)
    # Cross-entropy on grey pixels is a loss, so there is no bound to ask for.
    model = CrossEntropyImageVAE(size=8, width=4)
    assert not isinstance(model, HasBound)
    assert not hasattr(model, "estimate_log_prob")


def test_the_graph_has_the_label_only_where_there_are_classes() -> None:
    graph = small().graph
    assert set(graph["p"].parents("x")) == {"z", "label"}
    assert graph["p"].parents("label") == ()
    assert set(graph["q"].parents("z")) == {"x", "label"}
    assert small(classes=0).graph["p"].names == ("z", "x")


def test_the_books_model_is_the_plain_listing() -> None:
    """Same weights, same noise: our loss is the listing's and the constant it drops."""
    torch.manual_seed(0)
    model = CrossEntropyImageVAE(classes=10, decoder="book")
    x, label = torch.rand(4, 1, 32, 32), torch.tensor([3, 0, 9, 3])
    (player,) = model.players()
    loss = player.loss(Batch(x, {"label": label}), seeded()).total
    q = model.encode(x, given={"label": label})
    noise = torch.randn(q.mean.shape, generator=seeded())
    pixels = model.decode(q.mean + q.stddev * noise, given={"label": label})
    reconstruction = (x * pixels.log() + (1 - x) * (1 - pixels).log()).sum()
    kl = 0.5 * (q.mean.square() + q.variance).sum() - q.stddev.log().sum()
    constant = 4 * 128 / 2
    assert loss.item() == pytest.approx((kl - constant - reconstruction).item(), rel=1e-5)
    rows = torch.arange(10).repeat_interleave(10)  # VA-12: ten of each label.
    assert model.sample_means(100, given={"label": rows}).shape == (100, 1, 32, 32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.encode(images(2)), "label of 3 classes must be given"),
        (lambda m: m.decode(torch.zeros(2, 2)), "label of 3 classes must be given"),
        (lambda m: m.elbo(images(2), given={"class": torch.zeros(2)}), "only a label"),
        (lambda m: m.fit_labels(torch.ones(4)), "counts must be 3 numbers"),
        (lambda m: m.fit_labels(torch.zeros(3)), "counts must be 3 numbers"),
        (lambda _: small(classes=0).fit_labels(torch.ones(1)), "no label"),
        (lambda m: m.players()[0].loss(Batch(images(2)), None), "must be given"),
    ],
)
def test_wrong_use_is_refused(call: Callable[[ImageVAE], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(small())


def test_autocast_keeps_the_loss_in_float32() -> None:
    model, x = small(), images(8)
    (player,) = model.players()
    batch = Batch(x, {"label": torch.arange(8) % 3})
    exact = player.loss(batch, seeded()).total
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = player.loss(batch, seeded()).total
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=0.02)  # bfloat16 has 8 bits.


def test_saved_weights_and_labels_give_the_same_model() -> None:
    model, other = small(), small()
    model.fit_labels(torch.tensor([1, 2, 3]))
    other.load_state_dict(model.state_dict())
    x = images(3)
    ours, theirs = (m.elbo(x, generator=seeded()) for m in (model, other))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.slow
def test_digits_are_reconstructed_and_recognised() -> None:
    digits = load_digits()
    x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
    y = torch.tensor(digits.target)
    seen, held = slice(0, 1400), slice(1400, None)
    torch.manual_seed(0)
    model = ImageVAE(size=8, classes=10, levels=LEVELS, latent=8, width=32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    (player,) = model.players()
    for _ in range(600):
        rows = torch.randint(1400, (128,))
        loss = player.loss(Batch(x[rows], {"label": y[rows]}), None)
        optimizer.zero_grad()
        (loss.total / loss.weight).backward()
        optimizer.step()

    label = torch.arange(10).repeat(50)
    with torch.no_grad():
        means = model.sample_means(500, given={"label": label}, generator=seeded())
        z = model.encode(x[held], given={"label": y[held]}).mean
        rebuilt = model.decode(z, given={"label": y[held]})
    judge = LogisticRegression(max_iter=200, C=0.1).fit(x[seen].flatten(1), y[seen])
    # VA-12, its rows five times as long. Chance is 0.1; the judge itself is right on about 0.93 of
    # held-out digits.
    assert judge.score(means.flatten(1), label) > 0.8

    class_means = torch.stack([x[seen][y[seen] == k].mean(0) for k in range(10)])
    by_model = (rebuilt - x[held]).square().mean(dim=(1, 2, 3))
    by_class = (class_means[y[held]] - x[held]).square().mean(dim=(1, 2, 3))
    assert by_model.mean() < 0.7 * by_class.mean()
    assert (by_model < by_class).double().mean() > 0.9  # VA-13: image by image.
