import itertools
import math
from collections.abc import Sequence

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, HasDensity, HasGraph, NeedsGiven, Samples, Trains
from ancestral.data.canvas import OUTSIDE, on_canvas
from ancestral.data.crops import Crops
from ancestral.errors import CapabilityError
from ancestral.nn import PlainUNet
from ancestral.segmentation import Segmenter


def segmenter(classes: int = 3, **how: object) -> Segmenter:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, classes, 1))
    nn.init.normal_(network[2].weight)
    return Segmenter(network, channels=2, classes=classes, **how).double()


def images(*sizes: tuple[int, int]) -> list[Tensor]:
    generator = Generator().manual_seed(1)
    return [
        torch.randint(256, (2, *size), dtype=torch.uint8, generator=generator) for size in sizes
    ]


def masks(sizes: Sequence[tuple[int, int]], classes: int = 3) -> list[Tensor]:
    generator = Generator().manual_seed(2)
    return [torch.randint(classes, (1, *size), generator=generator).byte() for size in sizes]


def test_capabilities_and_graph() -> None:
    model = segmenter()
    for capability in (Samples, HasDensity, Trains, HasGraph, NeedsGiven):
        assert isinstance(model, capability)
    assert model.graph["p"].parents("x") == ("image",)


def test_the_masks_of_an_image_have_probabilities_that_sum_to_one() -> None:
    model, (image,) = segmenter(), images((2, 3))
    every = torch.tensor([*itertools.product(range(3), repeat=6)]).reshape(-1, 1, 2, 3)
    log_p = model.log_prob(every, given={"image": image}).detach()
    assert float(log_p.exp().sum()) == pytest.approx(1)
    torch.testing.assert_close(log_p, model(image.expand(729, -1, -1, -1)).log_prob(every))


def test_images_of_many_sizes_are_scored_as_if_alone() -> None:
    model, sizes = segmenter(), [(5, 7), (6, 4), (5, 7), (9, 9)]
    seen, wanted = images(*sizes), masks(sizes)
    together = model.log_prob(on_canvas(wanted, OUTSIDE), given={"image": on_canvas(seen, 0)})
    alone = [
        model.log_prob(mask[None], given={"image": image})
        for image, mask in zip(seen, wanted, strict=True)
    ]
    torch.testing.assert_close(together, torch.cat(alone))


def test_draws_follow_the_probabilities_and_the_temperature() -> None:
    model, (image,) = segmenter(), images((1, 2))
    logits = model.logits(image[None])[0]  # [3, 1, 2]
    for temperature in (0.5, 1.0):
        draws = model.sample(
            4000,
            given={"image": image},
            generator=Generator().manual_seed(0),
            temperature=temperature,
        )
        assert draws.shape == (4000, 1, 1, 2)
        shares = nn.functional.one_hot(draws[:, 0], 3).double().mean(0)  # [1, 2, 3]
        wanted = (logits / temperature).softmax(0).movedim(0, -1)
        # Five standard errors.
        assert ((shares - wanted).abs() < 5 * (wanted * (1 - wanted) / 4000).sqrt() + 1e-9).all()
    likeliest = model.sample(2, given={"image": image}, temperature=0.0)
    assert torch.equal(likeliest[0], logits.argmax(0, keepdim=True))
    assert likeliest.dtype == torch.int64


def test_the_loss_of_whole_images_is_minus_their_log_probability() -> None:
    model, sizes = segmenter(), [(5, 7), (5, 7)]
    seen, mask = torch.stack(images(*sizes)), torch.stack(masks(sizes))
    loss = model.loss(Batch(mask, {"image": seen}))
    assert loss.weight == 70
    torch.testing.assert_close(loss.total, -model.log_prob(mask, given={"image": seen}).sum())
    both = segmenter(loss="cross-entropy+dice").loss(Batch(mask, {"image": seen}))
    overlap = segmenter(loss="dice").loss(Batch(mask, {"image": seen}))
    torch.testing.assert_close(both.total, loss.total / 35 + overlap.total)
    assert both.weight == overlap.weight == 2


def test_it_trains_on_parts_of_images_of_many_sizes() -> None:
    sizes = [(12, 20), (30, 9)] * 4
    seen = images(*sizes)
    mask = [(image[:1] > 127).byte() for image in seen]
    batch = Batch(on_canvas(mask, OUTSIDE), {"image": on_canvas(seen, 0)})
    model = segmenter(2, crops=Crops(side=8)).float()
    (player,) = model.players()
    assert not player.couples_examples
    optimizer, generator = torch.optim.Adam(model.parameters(), lr=0.03), Generator().manual_seed(0)
    for _ in range(60):
        optimizer.zero_grad()
        loss = player.loss(batch, generator)
        (loss.total / loss.weight).backward()
        optimizer.step()
    found = model.sample(8, given={"image": batch.given["image"]}, temperature=0.0)
    inside = batch.x != OUTSIDE
    assert (found[inside] == batch.x[inside]).double().mean() > 0.97


def test_the_scale_is_that_of_what_is_inside() -> None:
    model, sizes = segmenter(), [(5, 7), (6, 4), (3, 3)]
    seen = images(*sizes)
    model.fit_scale(on_canvas(seen, 0), on_canvas(masks(sizes), OUTSIDE))
    pixels = torch.cat([image.flatten(1) for image in seen], dim=1).double()
    torch.testing.assert_close(model.mean.flatten(), pixels.mean(1))
    torch.testing.assert_close(model.std.flatten(), pixels.std(1, correction=0))
    model.fit_scale(torch.full((2, 2, 3, 3), 7), torch.zeros(2, 1, 3, 3))
    assert model.std.flatten().tolist() == [1, 1]


def test_classes_may_weigh_the_same() -> None:
    model, mask = segmenter(), torch.tensor([0, 0, 0, 0, 1, 1, OUTSIDE, OUTSIDE]).byte()
    model.fit_weights(mask.reshape(1, 1, 2, 4))
    # A class that never comes counts as if it came once.
    assert model.class_weights.tolist() == pytest.approx([6 / 12, 6 / 6, 6 / 3], rel=0.2)
    weights = model.class_weights.tolist()
    assert weights[0] * 4 == pytest.approx(weights[1] * 2)


def test_large_images_are_seen_in_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (image,) = segmenter(tile=64), images((150, 70))
    whole = segmenter(tile=192)
    given = {"image": image}
    seen: list[Tensor] = []
    model.network.register_forward_hook(lambda _m, x, _y: seen.append(x[0]))
    found = model.logits(image[None])
    assert max(max(x.shape[-2:]) for x in seen) == 64
    torch.testing.assert_close(found, whole.logits(image[None]))
    mask = whole.sample(1, given=given, temperature=0.0)
    torch.testing.assert_close(model.log_prob(mask, given=given), whole.log_prob(mask, given=given))


def test_batch_norm_couples_the_images_of_a_batch() -> None:
    network = PlainUNet(1, outputs=2, widths=(4, 8), norm="batch")
    (player,) = Segmenter(network, channels=1, classes=2).players()
    assert player.couples_examples


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (None, ValueError, "given must have .image., got none"),
        ({"nonsense": torch.zeros(())}, CapabilityError, "nonsense"),
        ({"image": torch.zeros(5, 2, 4, 5)}, ValueError, r"'image' must have shape .*got \[5, 2"),
        ({"image": torch.zeros(3, 4, 5)}, ValueError, r"'image' must have shape \[2, 4, 5\]"),
        ({"image": torch.zeros(2, 5, 5)}, ValueError, r"'image' must have shape \[2, 4, 5\]"),
    ],
)
def test_an_image_must_be_given(
    given: dict[str, Tensor] | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        segmenter().log_prob(torch.zeros(3, 1, 4, 5).byte(), given=given)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"classes": 1}, "classes must be at least 2, got 1"),
        ({"classes": 256}, "classes must be at most 255, got 256"),
        ({"tile": 100}, "tile must be a multiple of 64, got 100"),
        ({"loss": "hinge"}, "loss must be one of cross-entropy, .*got 'hinge'"),
    ],
)
def test_what_cannot_be_built_is_refused(how: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Segmenter(nn.Identity(), **{"channels": 2, "classes": 3, **how})


@torch.no_grad()
def test_the_bits_of_a_pixel_are_at_most_those_of_the_classes_untrained() -> None:
    model = segmenter(4)
    nn.init.zeros_(model.network[2].weight)
    nn.init.zeros_(model.network[2].bias)
    (image,), (mask,) = images((3, 3)), masks([(3, 3)], 4)
    found = model.log_prob(mask[None], given={"image": image})
    assert float(found) == pytest.approx(-9 * math.log(4))
