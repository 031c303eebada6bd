"""Draw docs/_static/figure-38.png to figure-40.png, the book's figures of estimation, anew."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Generator, Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from ancestral.estimation import TwoGaussians, learning_rate_study
from ancestral.information import closest_normal, kl

STATIC = Path(__file__).resolve().parents[1] / "docs" / "_static"
INK, COVER, SEEK = "#5b6472", "#1c5fb8", "#cf4a12"
RATES = (0.01, 0.1, 1.0, 10.0, 30.0)
COLOURS = ("#8d1a7c", "#1c5fb8", "#1f8a6d", "#d08a00", "#cf4a12")


def save(figure: Figure, name: str) -> None:
    """Write a figure for the pages."""
    FigureCanvasAgg(figure).print_png(STATIC / name)


def filled(axes: Axes, x: Tensor, y: Tensor, label: str) -> None:
    """Draw a density as an area."""
    axes.fill_between(x.numpy(), y.numpy(), color=INK, alpha=0.28, linewidth=0, label=label)


def directions() -> None:
    """Figure 38: the normal law closest to a mixture in each direction of the divergence."""
    modes = Normal(
        torch.tensor([-2.0, 2.5], dtype=torch.float64), torch.tensor([0.7, 1.0]).double()
    )
    p = MixtureSameFamily(Categorical(torch.tensor([0.4, 0.6], dtype=torch.float64)), modes)
    seeks = [closest_normal(p, "seek", start=Normal(start, 1.0)) for start in (2.5, -2.0)]
    panels: Sequence[tuple[Normal, str, str]] = (
        (closest_normal(p, "cover"), "argmin KL(p ‖ q): covers", COVER),
        (seeks[0], "argmin KL(q ‖ p): seeks", SEEK),
        (seeks[1], "the other minimum of KL(q ‖ p)", SEEK),
    )
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    x = torch.linspace(-7.5, 8, 800, dtype=torch.float64)
    for axes, (q, title, colour) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
        filled(axes, x, p.log_prob(x).exp(), "p")
        axes.plot(x.numpy(), q.log_prob(x).exp().numpy(), color=colour, linewidth=2, label="q")
        both = f"KL(p ‖ q) = {float(kl(p, q)):.2f}\nKL(q ‖ p) = {float(kl(q, p)):.2f}"
        axes.text(0.03, 0.96, both, transform=axes.transAxes, va="top", fontsize=9)
        axes.set(title=title, xlabel="x", ylim=(0, 0.74))
        axes.legend(frameon=False, loc="upper right")
    save(figure, "figure-38.png")


def mixture(example: TwoGaussians, data: Tensor) -> None:
    """Figure 39: the density of the mixture and a histogram of the examples."""
    figure = Figure(figsize=(6.5, 3.2), layout="constrained")
    axes = figure.subplots()
    counts, _, _ = axes.hist(data.numpy(), bins=100, density=False, color=INK, alpha=0.4)
    x = torch.linspace(float(data.min()) - 1, float(data.max()) + 1, 600, dtype=torch.float64)
    logit = torch.tensor(0.8, dtype=torch.float64).logit()
    width = float(data.max() - data.min()) / 100
    density = example.log_prob(x, logit).exp() * len(data) * width
    axes.plot(x.numpy(), density.numpy(), color=SEEK, linewidth=2)
    axes.set(title=f"{int(sum(counts))} examples, 100 bins, and the density", xlabel="x")
    axes.set_ylabel("examples in a bin")
    save(figure, "figure-39.png")


def learning_rates(data: Tensor, epochs: int = 500) -> None:
    """Figure 40: the loss and r under each learning rate, and expectation-maximisation."""
    study = learning_rate_study(data, RATES, epochs=epochs)
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    losses, weights = figure.subplots(1, 2)
    steps = torch.arange(1, epochs + 2).numpy()  # From 1: the axis is logarithmic.
    for number, (rate, verdict) in enumerate(zip(RATES, study.verdicts(), strict=True)):
        # What turns back and forth at every update fills the plane: thin, and behind.
        width = 0.6 if verdict == "oscillates" else 1.8
        style = {"color": COLOURS[number], "linewidth": width, "zorder": 9 - number}
        label = f"rate {rate:g}: {verdict}"
        losses.plot(steps, study.losses[:, number].numpy(), label=label, **style)
        weights.plot(steps, study.paths[:, number].numpy(), label=label, **style)
    climb = TwoGaussians().climb(data, iterations=epochs)
    weights.plot(steps, climb.numpy(), color="black", dashes=(4, 2), label="EM", zorder=10)
    weights.axhline(study.optimum, color=INK, linewidth=0.8)
    losses.set(title="mean negative log-likelihood, nats", xlabel="update", xscale="log")
    best = float(study.losses.min())
    losses.set_ylim(best - 0.003, best + 0.06)
    weights.set(title="r", xlabel="update", xscale="log")
    figure.legend(*weights.get_legend_handles_labels(), frameon=False, loc="outside right center")
    save(figure, "figure-40.png")


def main() -> int:
    """Draw all three."""
    example = TwoGaussians()
    data = example.sample(1000, 0.8, generator=Generator().manual_seed(0))
    directions()
    mixture(example, data)
    learning_rates(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
