"""Draw into docs/_static what autoencoders are for: those pictures that are named, or all."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Generator, Tensor

from ancestral.autoencoders import SaltAndPepper
from ancestral.data import Dataset, Examples, load
from ancestral.data.fields import LABEL
from ancestral.evaluation.anomalies import Detector
from ancestral.evaluation.tables.roc import area
from ancestral.networks.latent import difference, encode, interpolate, reconstruct, shifted, walk
from ancestral.networks.units import InDataUnits
from ancestral.recipes import fit
from ancestral.training import Budget

STATIC = Path(__file__).resolve().parents[1] / "docs" / "_static"
POINTS, SHOWN, STEPS = 5_000, 10, 2_000
SHIRT, PULLOVER, SNEAKER, BAG, BOOT = 0, 2, 7, 8, 9
"""Labels of Fashion-MNIST."""


def fitted(model: str, data: str | Dataset, steps: int = STEPS, **settings: object) -> InDataUnits:
    """Train a model, and return it."""
    with TemporaryDirectory() as folder:
        out = f"{folder}/run"
        return fit(model, data, out=out, settings=settings, budget=Budget(steps=steps)).model()


@cache
def garments() -> Dataset:
    """Return Fashion-MNIST."""
    return load("fashion-mnist")


@cache
def coder() -> InDataUnits:
    """A VAE of garments that is not told what they are."""
    return fitted("image-vae", garments(), conditional=False, latent=32)


def save(figure: Figure, name: str) -> None:
    """Write a picture."""
    FigureCanvasAgg(figure).print_png(STATIC / f"{name}.png")


def save_rows(rows: Mapping[str, Tensor], name: str) -> None:
    """Draw rows of images, uint8 [N, 1, H, W], what they are before each."""
    most = max(map(len, rows.values()))
    figure = Figure(figsize=(0.75 * most + 1.6, 0.8 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axes, (title, x) in zip(grid, rows.items(), strict=True):
        axes.imshow(torch.cat([*x[:, 0]], dim=1), cmap="gray_r", vmin=0, vmax=255)
        axes.set_ylabel(title, rotation=0, ha="right", va="center")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    save(figure, name)


def figure_74() -> None:
    """What an autoencoder draws, and what a VAE does."""
    noise, latent = Generator().manual_seed(0), 16
    plain = fitted("ae", "swiss-roll", 5_000, latent=latent)
    vae = fitted("vae", "swiss-roll", 5_000)
    with torch.no_grad():
        panels = {
            "data": load("swiss-roll").test.x[:POINTS],
            "ae: decoded normal noise": plain.decode(torch.randn(POINTS, latent, generator=noise)),
            "ae: draws": plain.sample(POINTS, generator=noise),
            "vae: draws": vae.sample(POINTS, generator=noise),
        }
    figure = Figure(figsize=(12, 3.4), layout="constrained")
    colours = ("#5b6472", "#cf4a12", "#cf4a12", "#1f8a6d")
    for axes, (title, x), colour in zip(
        figure.subplots(1, 4), panels.items(), colours, strict=True
    ):
        axes.plot(*x.T.numpy(), ",", color=colour, rasterized=True)
        axes.set(title=title, xlim=(-2.3, 2.3), ylim=(-2.3, 2.3), aspect="equal")
        axes.axis("off")
    save(figure, "figure-74")


def codes_map() -> None:
    """Two numbers an image: by principal axes, and by a VAE with as many latents."""
    data = garments()
    model = fitted("image-vae", data, conditional=False, latent=2, warmup=0.3)
    test = data.test[:POINTS]
    x = test.x.flatten(1).double()
    axes_ = torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[:2].T
    panels = {
        "principal components of the pixels": (x - x.mean(0)) @ axes_,
        "latents of image-vae": encode(model, test).mean,
    }
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    for axes, (title, z) in zip(figure.subplots(1, 2), panels.items(), strict=True):
        for label, name in enumerate(data.labels):
            mine = z[test[LABEL] == label]
            axes.plot(*mine.T.numpy(), ".", markersize=2, color=f"C{label}", label=name)
        axes.set(title=title, xticks=[], yticks=[])
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", markerscale=5, frameon=False)
    save(figure, "codes-map")


def codes_back() -> None:
    """Ten garments, and what is made of their codes."""
    some = garments().test[:SHOWN]
    save_rows({"examples": some.x, "made again": reconstruct(coder(), some)}, "codes-back")


def codes_walk() -> None:
    """From a sneaker to a boot: mixed pixels, and the way through the latents."""
    test = garments().test
    where = [int((test[LABEL] == label).nonzero()[0]) for label in (SNEAKER, BOOT)]
    a, b = (test[row : row + 1] for row in where)
    pixels = interpolate(a.x[0].float(), b.x[0].float(), SHOWN).round().to(torch.uint8)
    save_rows({"pixels": pixels, "latents": walk(coder(), a, b, SHOWN)}, "codes-walk")


def codes_shift() -> None:
    """A T-shirt that becomes a pullover, by so much of the way between the means."""
    train, test = garments().train[:20_000], garments().test
    of = [Examples(train.x[train[LABEL] == label]) for label in (PULLOVER, SHIRT)]
    direction = difference(coder(), *of)
    shirts = (test[LABEL] == SHIRT).nonzero()[:3, 0].tolist()
    far = [-0.5, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
    rows = {
        f"shirt {number}": torch.cat(
            (test.x[row : row + 1], shifted(coder(), test[row : row + 1], direction, far))
        )
        for number, row in enumerate(shirts, 1)
    }
    save_rows(rows, "codes-shift")


def codes_clean() -> None:
    """Salt and pepper taken away."""
    model, clean = fitted("denoising-ae", garments()), garments().test.x[:SHOWN]
    noise = SaltAndPepper(least=0.5, most=0.5, low=0.0, high=1.0)
    noisy = 255 * noise(clean / 255, Generator().manual_seed(0))
    noisy = noisy.round().to(torch.uint8)
    cleaned = reconstruct(model, Examples(noisy))
    save_rows({"clean": clean, "half is noise": noisy, "cleaned": cleaned}, "codes-clean")


def anomalies_worst() -> None:
    """The strangest of all test images to an autoencoder that has seen no bag, and the usual."""
    data = garments()
    parts = {
        name: Examples(part.x[part[LABEL] != BAG][:12_000])
        for name, part in (("train", data.train), ("validation", data.validation))
    }
    fields = {name: field for name, field in data.fields.items() if name != LABEL}
    model = fitted("ae", replace(data, fields=fields, **parts, test=Examples(data.test.x)))
    test = data.test[:POINTS]
    detector = Detector.of(model, parts["train"], parts["validation"], seed=0)
    score = detector.score(Examples(test.x)).scores[detector.usual]
    order = score.argsort(descending=True)
    strange = test[LABEL] == BAG
    print(f"AUROC {area(score[strange], score[~strange]).value:.3f}", file=sys.stderr)
    print([data.labels[test[LABEL][row]] for row in order[:SHOWN]], file=sys.stderr)
    rows = {}
    for words, chosen in (("strangest", order[:SHOWN]), ("least strange", order[-SHOWN:])):
        x = Examples(test.x[chosen])
        rows |= {words: x.x, f"{words},\nmade again": reconstruct(model, x)}
    save_rows(rows, "anomalies-worst")


FIGURES: tuple[Callable[[], None], ...] = (
    figure_74,
    codes_map,
    codes_back,
    codes_walk,
    codes_shift,
    codes_clean,
    anomalies_worst,
)


def main(names: list[str]) -> int:
    """Draw."""
    for draw in FIGURES:
        if not names or draw.__name__ in names:
            draw()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
