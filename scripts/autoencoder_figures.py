"""Draw docs/_static/figure-74.png: what an autoencoder draws, and what a VAE does."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Generator

from ancestral.data import load
from ancestral.recipes import fit
from ancestral.training import Budget

OUT = Path(__file__).resolve().parents[1] / "docs" / "_static" / "figure-74.png"
POINTS, STEPS, LATENT = 5_000, 5_000, 16


def main() -> int:
    """Fit both and draw."""
    noise = Generator().manual_seed(0)
    with TemporaryDirectory() as folder:
        how = {"budget": Budget(steps=STEPS), "settings": {"latent": LATENT}}
        plain = fit("ae", "swiss-roll", out=f"{folder}/ae", **how).model()
        vae = fit("vae", "swiss-roll", out=f"{folder}/vae", budget=Budget(steps=STEPS)).model()
    with torch.no_grad():
        panels = {
            "data": load("swiss-roll").test.x[:POINTS],
            "ae: decoded normal noise": plain.decode(torch.randn(POINTS, LATENT, generator=noise)),
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
    FigureCanvasAgg(figure).print_png(OUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
