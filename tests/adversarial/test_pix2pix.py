import pytest
import torch
from torch import Generator, nn

from ancestral.adversarial import GameRules, PatchCritic, Pix2Pix, View, non_saturating_loss
from ancestral.capabilities import Batch
from ancestral.data.crops import Crops
from ancestral.errors import CapabilityError
from ancestral.nn import PlainUNet


def pix2pix(weight: float = 100.0, crops: Crops | None = None, **rules: object) -> Pix2Pix:
    torch.manual_seed(0)
    return Pix2Pix(
        PlainUNet(1, outputs=3, widths=(4, 8), norm="group"),
        PatchCritic(4, width=4, halvings=1),
        view=View(channels=(1, 3), crops=crops),
        weight=weight,
        rules=GameRules(**rules) if rules else None,  # pyright: ignore[reportArgumentType]
    )


def pairs(n: int = 4, side: int = 8) -> Batch:
    generator = Generator().manual_seed(1)
    image = torch.randint(256, (n, 1, side, side), generator=generator, dtype=torch.uint8)
    return Batch(2 * torch.rand(n, 3, side, side, generator=generator) - 1, {"image": image})


def test_the_generator_lowers_its_game_and_the_absolute_difference() -> None:
    batch = pairs()
    image = batch.given["image"].float() / 127.5 - 1
    for weight in (0.0, 100.0):
        model = pix2pix(weight)
        made = torch.tanh(model.generator(image))
        logits = model.critic.network(torch.cat((image, made), dim=1))[..., 0]
        game = non_saturating_loss(logits).mean(dim=1).sum()
        apart = (made - batch.x).abs().mean(dim=(1, 2, 3)).sum()
        critic, generator = model.players()
        assert (critic.name, generator.name) == ("critic", "generator")
        loss = generator.loss(batch, None)
        torch.testing.assert_close(loss.total, game + weight * apart)
        assert loss.weight == 4


def test_the_critic_is_told_what_belongs_to_the_image() -> None:
    """Its loss differs where the same x stand beside other images."""
    batch, model = pairs(), pix2pix()
    critic, _ = model.players()
    other = Batch(batch.x, {"image": batch.given["image"].flip(0)})
    assert critic.loss(batch, None).total != critic.loss(other, None).total


@pytest.mark.parametrize("loss", ["relativistic", "wasserstein", "least-squares"])
def test_every_parameter_gets_a_gradient(loss: str) -> None:
    regulariser = "gradient" if loss == "wasserstein" else "r1"
    model = pix2pix(loss=loss, regulariser=regulariser, penalty=1.0)
    for player in model.players():
        parameters = [*player.module.parameters()]
        total = player.loss(pairs(), Generator().manual_seed(0)).total
        # What is added to all logits alike is felt by no difference of them.
        for gradient in torch.autograd.grad(total, parameters):
            assert gradient.isfinite().all()
            assert gradient.any() or (loss != "least-squares" and gradient.numel() == 1)


def test_parts_are_cut_alike() -> None:
    ramp = torch.arange(144, dtype=torch.uint8).reshape(1, 1, 12, 12).repeat(5, 1, 1, 1)
    batch = Batch(ramp.float().repeat(1, 3, 1, 1) / 127.5 - 1, {"image": ramp})
    view = View(channels=(1, 3), crops=Crops(side=8))
    image, x = view.together(batch, Generator().manual_seed(0), "pix2pix")
    assert image.shape == (5, 1, 8, 8)
    torch.testing.assert_close(x, image.expand_as(x))
    assert len({tuple(one.flatten().tolist()) for one in image}) == 5


def test_images_of_any_size_are_drawn_from() -> None:
    model = pix2pix()
    one = torch.randint(256, (1, 9, 14), dtype=torch.uint8)
    x = model.sample(3, given={"image": one})
    assert x.shape == (3, 3, 9, 14)
    assert x.abs().max() <= 1
    torch.testing.assert_close(x[0], x[2])
    with pytest.raises(ValueError, match="n must be at least 1"):
        model.sample(0, given={"image": one})
    with pytest.raises(ValueError, match="given must have 'image', got none"):
        model.sample(1)
    with pytest.raises(ValueError, match=r"\[1, 9, 14\] or \[2, 1, 9, 14\], got \[2, 3, 9, 14\]"):
        model.sample(2, given={"image": one.repeat(2, 3, 1, 1)})
    with pytest.raises(CapabilityError, match="cannot be conditioned on 'label'"):
        model.sample(1, given={"label": torch.tensor(0)})
    with pytest.raises(ValueError, match="weight must be at least 0, got -1"):
        Pix2Pix(nn.Identity(), nn.Identity(), view=View(channels=(1, 1)), weight=-1)
