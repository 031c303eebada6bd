"""The figures of all chapters for which a model is trained first."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ancestral.book.entry import Entry, How
from ancestral.book.reasons import PETS
from ancestral.data import Dataset, Examples, load
from ancestral.networks.latent import reconstruct, walk
from ancestral.networks.units import InDataUnits
from ancestral.training.budget import Budget

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REACH, POINTS, FEW = 2.2, 5_000, 20
"""Half the side of pictures of the roll; points drawn; steps where a test only wants to see it."""

Trained = tuple[InDataUnits, list[dict[str, Any]]]


@cache
def trained(model: str, data: str, steps: int, settings: tuple[tuple[str, Any], ...]) -> Trained:
    """Fit a recipe; return the model and the rows of its metrics."""
    from ancestral.recipes import fit

    with TemporaryDirectory() as folder:
        run = fit(
            model,
            images(data) if data in ("digits", "mnist", "fashion-mnist") else load(data),
            out=Path(folder) / "run",
            budget=Budget(steps=steps),
            settings=dict(settings),
        )
        return run.model(), run.metrics()


def fitted(how: How, model: str, data: str, steps: int, **settings: object) -> Trained:
    """Fit a recipe by so many steps, or by few where only a look is wanted."""
    data = named(how, data) if data != "swiss-roll" else data
    return trained(model, data, FEW if how.quick else steps, tuple(settings.items()))


def named(how: How, data: str) -> str:
    """Return the name of images; of small ones where only a look is wanted."""
    return "digits" if how.quick else data


@cache
def images(name: str) -> Dataset:
    """Return images by name, read once."""
    return load(name)


def clothes(how: How) -> Dataset:
    """Return Fashion-MNIST."""
    return images(named(how, "fashion-mnist"))


def roll(n: int) -> Examples:
    """Return held-out points of the swiss roll."""
    return load("swiss-roll").test[:n]


def autoencoder(how: How) -> InDataUnits:
    """Return the book's autoencoder of the swiss roll."""
    return fitted(how, "ae", "swiss-roll", 5_000, latent=16, hidden=(128, 64, 32))[0]


def vae(how: How) -> InDataUnits:
    """Return the book's VAE of the swiss roll."""
    settings = {"latent": 16, "hidden": (128, 64, 32), "decoder_std": 0.1, "prior": "normal"}
    return fitted(how, "vae", "swiss-roll", 5_000, **settings)[0]


def image_vae(how: How) -> InDataUnits:
    """Return the book's VAE of garments, which is given their label."""
    settings = {"latent": 128, "decoder": "book", "likelihood": "cross-entropy"}
    return fitted(how, "image-vae", "fashion-mnist", 3_000, **settings)[0]


def error_of(x: Tensor, back: Tensor) -> str:
    """Return the mean squared error in words."""
    return f"MSE {(x - back).square().mean().item():.2g}"


def points(axes: "Axes", x: Tensor, colour: str, title: str) -> None:
    """Draw points of the roll."""
    from ancestral.book.drawing import plane

    plane(axes, x, colour, title, reach=REACH)
    axes.axis("off")


def path(axes: "Axes", model: InDataUnits, title: str) -> None:
    """Draw the way between two points through the latents, 500 steps, over the data."""
    from ancestral.book.drawing import GREEN, INK, RED

    some = roll(POINTS)
    far = some.x.norm(dim=1)
    way = walk(model, some[far.argmin()[None]], some[far.argmax()[None]], 500)
    points(axes, some.x, INK, title)
    axes.plot(*way.T.numpy(), color=RED, linewidth=1.8)
    axes.plot(*way[[0, -1]].T.numpy(), "o", color=GREEN)


def mosaic(images: Tensor, across: int, title: str, size: float) -> "Figure":
    """Draw images of one channel [N, 1, H, W] in rows."""
    from ancestral.book.drawing import picture, sheet

    down = len(images) // across
    figure, panels = sheet(size * across, size * down, across=across, down=down)
    for axes, image in zip(panels, images, strict=True):
        picture(axes, image[0])
    figure.suptitle(title, fontsize=10)
    return figure


def draw_predictions(how: How) -> "Figure":
    """Draw figure 22: ten garments, their labels and what a classifier says."""
    from ancestral.book.drawing import picture, sheet

    model = fitted(how, "classifier", "fashion-mnist", 1_700, hidden=(4,), batch_size=32)[0]
    some = clothes(how).test[:10]
    with torch.no_grad():
        sure, said = model.posterior(some.x).probs.max(dim=1)
    figure, panels = sheet(11, 4.6, across=5, down=2)
    names = clothes(how).labels
    for axes, image, true, label, p in zip(
        panels, some.x, some.given["label"].tolist(), said.tolist(), sure.tolist(), strict=True
    ):
        picture(axes, image[0], f"{names[true]} / {names[label]} ({p:.0%})")
    return figure


def draw_gan(how: How) -> "Figure":
    """Draw figure 55: what a GAN draws beside the data."""
    from ancestral.book.drawing import INK, RED, sheet

    settings = {"latent": 16, "hidden": (32, 64, 128), "loss": "saturating"}
    model = fitted(how, "gan", "swiss-roll", 5_000, **settings)[0]
    figure, (data, drawn) = sheet(7, 3.6, across=2)
    points(data, roll(POINTS).x, INK, how.say("data", "datos"))
    points(drawn, model.sample(POINTS, generator=how.noise), RED, "GAN")
    return figure


def conditional_gan(how: How) -> Trained:
    """Return a GAN of digits that is given their label."""
    return fitted(how, "cgan", "mnist", 6_000)


def draw_losses(how: How) -> "Figure":
    """Draw figure 57: the losses of both players."""
    from ancestral.book.drawing import BLUE, RED, sheet

    rows = [row for row in conditional_gan(how)[1] if "metrics" in row]
    figure, (axes,) = sheet(7, 3)
    names = [name for name in rows[0]["metrics"] if name.endswith("/loss")]
    for name, colour in zip(names, (BLUE, RED), strict=False):
        values = [row["metrics"][name] for row in rows]
        axes.plot([row["step"] for row in rows], values, color=colour, label=name, linewidth=1)
    axes.set_xlabel(how.say("step", "paso"))
    axes.legend(frameon=False)
    return figure


def draw_classes(how: How) -> "Figure":
    """Draw figure 58: fifteen draws of each digit."""
    labels = torch.arange(10).repeat_interleave(15)
    model = conditional_gan(how)[0]
    images = model.sample(150, given={"label": labels}, generator=how.noise)
    return mosaic(images, 15, how.say("a digit in each row", "un dígito en cada fila"), 0.5)


def draw_reconstruction(how: How) -> "Figure":
    """Draw figure 73."""
    from ancestral.book.drawing import BLUE, INK, sheet

    some = roll(POINTS)
    back = reconstruct(autoencoder(how), some)
    figure, (data, made) = sheet(7, 3.6, across=2)
    points(data, some.x, INK, how.say("data", "datos"))
    points(made, back, BLUE, error_of(some.x, back))
    return figure


def draw_off_the_roll(how: How) -> "Figure":
    """Draw figure 74: decoded noise, draws of the autoencoder, and of a VAE."""
    from ancestral.book.drawing import GREEN, INK, RED, sheet

    model = autoencoder(how)
    noise = torch.randn(POINTS, 16, generator=how.noise)
    figure, panels = sheet(12, 3.4, across=4)
    points(panels[0], roll(POINTS).x, INK, how.say("data", "datos"))
    with torch.no_grad():
        title = how.say("ae: decoded normal noise", "ae: ruido normal decodificado")
        points(panels[1], model.decode(noise), RED, title)
    draws = how.say("draws", "muestras")
    points(panels[2], model.sample(POINTS, generator=how.noise), RED, f"ae: {draws}")
    points(panels[3], vae(how).sample(POINTS, generator=how.noise), GREEN, f"vae: {draws}")
    return figure


def draw_path(how: How) -> "Figure":
    """Draw figure 75."""
    from ancestral.book.drawing import sheet

    figure, (axes,) = sheet(3.6, 3.6)
    path(axes, autoencoder(how), "")
    return figure


def draw_denoised(how: How) -> "Figure":
    """Draw figure 76: garments, with holes, and without noise again."""
    from ancestral.autoencoders import Masking

    settings = {"network": "dense", "hidden": (256, 128), "latent": 64, "corruption": "masking"}
    model = fitted(how, "denoising-ae", "fashion-mnist", 2_100, **settings)[0]
    x = clothes(how).test.x[:5]
    holes = Masking(least=0.5, most=0.5)(x.double(), how.noise).to(x.dtype)
    back = reconstruct(model, Examples(holes))
    title = how.say("as they are, with holes, made again", "originales, con huecos, rehechas")
    return mosaic(torch.cat((x, holes, back.to(x.dtype))), 5, title, 1.2)


def draw_vae(how: How) -> "Figure":
    """Draw figure 77: reconstruction, draws, a way between two points."""
    from ancestral.book.drawing import BLUE, GREEN, sheet

    model, some = vae(how), roll(POINTS)
    back = reconstruct(model, some)
    figure, panels = sheet(10.5, 3.6, across=3)
    points(panels[0], back, BLUE, error_of(some.x, back))
    drawn = model.sample(POINTS, generator=how.noise)
    points(panels[1], drawn, GREEN, how.say("draws", "muestras"))
    path(panels[2], model, how.say("between two points", "entre dos puntos"))
    return figure


def draw_garments(how: How) -> "Figure":
    """Draw figure 79: ten draws of each garment."""
    labels = torch.arange(10).repeat_interleave(10)
    # The loss has no law of grey levels: the book draws means of the decoder, too (E-C24).
    model = image_vae(how)
    images = model.sample(100, given={"label": labels}, generator=how.noise, means=True)
    return mosaic(images, 10, how.say("a garment in each row", "una prenda en cada fila"), 0.6)


def draw_again(how: How) -> "Figure":
    """Draw figure 80: ten garments and their reconstructions."""
    some = clothes(how).test[:10]
    back = reconstruct(image_vae(how), some)
    title = how.say("garments, and below made again", "prendas, y abajo rehechas")
    return mosaic(torch.cat((some.x, back.to(some.x.dtype))), 10, title, 0.8)


def _entry(number: int, english: str, spanish: str, draw: Any) -> Entry:  # noqa: ANN401
    return Entry(f"FG-{number}", english, spanish, draw=draw, slow=True)


NEURAL: tuple[Entry, ...] = (_entry(22, "Ten predictions", "Diez predicciones", draw_predictions),)
ADVERSARIAL: tuple[Entry, ...] = (
    _entry(55, "What a GAN draws", "Lo que genera una GAN", draw_gan),
    _entry(57, "Losses of a conditional GAN", "Pérdidas de una GAN condicional", draw_losses),
    _entry(58, "Digits of each class", "Dígitos de cada clase", draw_classes),
    Entry("FG-69", "A pet and its mask", "Una mascota y su máscara", reason=PETS),
    Entry("FG-70", "Losses of the U-Net", "Pérdidas de la U-Net", reason=PETS),
    Entry("FG-71", "Masks that it predicts", "Máscaras que predice", reason=PETS),
)
AUTOENCODERS: tuple[Entry, ...] = (
    _entry(73, "The roll made again", "El rollo rehecho", draw_reconstruction),
    _entry(74, "Decoded noise, off the roll", "Ruido decodificado, afuera", draw_off_the_roll),
    _entry(75, "Between two points, 500 steps", "Entre dos puntos, 500 pasos", draw_path),
    _entry(76, "Garments without noise again", "Prendas sin ruido otra vez", draw_denoised),
    _entry(77, "A VAE of the roll", "Un VAE del rollo", draw_vae),
    _entry(79, "Garments of each class, means", "Prendas de cada clase, medias", draw_garments),
    _entry(80, "Garments made again", "Prendas rehechas", draw_again),
)
