"""Chapter 2, second half: likelihood, priors, information."""

import math
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor
from torch.distributions import Categorical, MixtureSameFamily, Normal

from ancestral.book.entry import Entry, How, Sampled
from ancestral.estimation import TwoGaussians, fit_normal, learning_rate_study
from ancestral.information import closest_normal, cross_entropy, kl, self_information

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EXAMPLES, WEIGHT, EPOCHS = 1000, 0.8, 500
RATES = (0.01, 0.1, 1.0, 10.0, 30.0)


@cache
def examples() -> Tensor:
    """Return the data of figures 39 and 40."""
    return TwoGaussians().sample(EXAMPLES, WEIGHT, generator=Generator().manual_seed(0))


def descended(how: How) -> Sampled:
    """Return r after the book's 500 updates at rate 1, on examples of its own."""
    example = TwoGaussians()
    data = example.sample(EXAMPLES, WEIGHT, generator=how.noise)
    path = example.descend(data, learning_rate=1.0, epochs=EPOCHS)
    return Sampled(path[-1].item(), example.standard_error(WEIGHT, EXAMPLES))


def turns(kind: str) -> tuple[float, ...]:
    """Return where the mixture's density has its maxima, or its minimum between them."""
    x = torch.linspace(-4, 8, 120_001, dtype=torch.float64)
    logit = torch.tensor(WEIGHT, dtype=torch.float64).logit()
    rises = TwoGaussians().log_prob(x, logit).diff() > 0
    found = (rises[:-1] & ~rises[1:]) if kind == "maxima" else (~rises[:-1] & rises[1:])
    return tuple(x[1:-1][found].tolist())


def bimodal() -> MixtureSameFamily:
    """Return the law p of figure 38."""
    means = torch.tensor([-2.0, 2.5], dtype=torch.float64)
    modes = Normal(means, torch.tensor([0.7, 1.0], dtype=torch.float64))
    return MixtureSameFamily(Categorical(torch.tensor([0.4, 0.6], dtype=torch.float64)), modes)


def sought() -> list[Normal]:
    """Return the two minima of KL(q || p)."""
    return [closest_normal(bimodal(), "seek", start=Normal(start, 1.0)) for start in (2.5, -2.0)]


def filled(axes: "Axes", x: Tensor, y: Tensor) -> None:
    """Draw a density as an area."""
    axes.fill_between(x.numpy(), y.numpy(), color="#5b6472", alpha=0.28, linewidth=0, label="p")


def draw_directions(how: How) -> "Figure":
    """Draw figure 38: the normal law closest to a mixture in each direction of the divergence."""
    from ancestral.book.drawing import BLUE, RED, sheet

    p, (first, second) = bimodal(), sought()
    covers, seeks = how.say("covers", "cubre"), how.say("seeks", "busca")
    other = how.say("the other minimum of KL(q ‖ p)", "el otro mínimo de KL(q ‖ p)")
    panels = (
        (closest_normal(p, "cover"), f"argmin KL(p ‖ q): {covers}", BLUE),
        (first, f"argmin KL(q ‖ p): {seeks}", RED),
        (second, other, RED),
    )
    figure, grid = sheet(11, 3.2, across=3, sharey=True)
    x = torch.linspace(-7.5, 8, 800, dtype=torch.float64)
    for axes, (q, title, colour) in zip(grid, panels, strict=True):
        filled(axes, x, p.log_prob(x).exp())
        axes.plot(x.numpy(), q.log_prob(x).exp().numpy(), color=colour, linewidth=2, label="q")
        both = f"KL(p ‖ q) = {float(kl(p, q)):.2f}\nKL(q ‖ p) = {float(kl(q, p)):.2f}"
        axes.text(0.03, 0.96, both, transform=axes.transAxes, va="top", fontsize=9)
        axes.set(title=title, xlabel="x", ylim=(0, 0.74))
        axes.legend(frameon=False, loc="upper right")
    return figure


def draw_mixture(how: How) -> "Figure":
    """Draw figure 39: the density of the mixture and a histogram of the examples."""
    from ancestral.book.drawing import INK, RED, sheet

    data = examples()
    figure, (axes,) = sheet(6.5, 3.2)
    axes.hist(data.numpy(), bins=100, color=INK, alpha=0.4)
    x = torch.linspace(float(data.min()) - 1, float(data.max()) + 1, 600, dtype=torch.float64)
    logit = torch.tensor(WEIGHT, dtype=torch.float64).logit()
    width = float(data.max() - data.min()) / 100
    density = TwoGaussians().log_prob(x, logit).exp() * len(data) * width
    axes.plot(x.numpy(), density.numpy(), color=RED, linewidth=2)
    title = ("examples, 100 bins, and the density", "ejemplos, 100 intervalos, y la densidad")
    axes.set(title=f"{len(data)} {how.say(*title)}", xlabel="x")
    axes.set_ylabel(how.say("examples in a bin", "ejemplos por intervalo"))
    return figure


VERDICTS = {"slow": "lenta", "converged": "converge", "oscillates": "oscila", "stuck": "se atasca"}


def draw_rates(how: How) -> "Figure":
    """Draw figure 40: the loss and r under each learning rate, and expectation-maximisation."""
    from ancestral.book.drawing import COLOURS, INK, sheet

    data = examples()
    study = learning_rate_study(data, RATES, epochs=EPOCHS)
    figure, (losses, weights) = sheet(12, 3.6, across=2)
    steps = torch.arange(1, EPOCHS + 2).numpy()  # From 1: the axis is logarithmic.
    for number, (rate, verdict) in enumerate(zip(RATES, study.verdicts(), strict=True)):
        # What turns back and forth at every update fills the plane: thin, and behind.
        width = 0.6 if verdict == "oscillates" else 1.8
        style = {"color": COLOURS[number], "linewidth": width, "zorder": 9 - number}
        said = how.say(f"rate {rate:g}: {verdict}", f"tasa {rate:g}: {VERDICTS[verdict]}")
        losses.plot(steps, study.losses[:, number].numpy(), label=said, **style)
        weights.plot(steps, study.paths[:, number].numpy(), label=said, **style)
    climb = TwoGaussians().climb(data, iterations=EPOCHS)
    weights.plot(steps, climb.numpy(), color="black", dashes=(4, 2), label="EM", zorder=10)
    weights.axhline(study.optimum, color=INK, linewidth=0.8)
    update = how.say("update", "actualización")
    loss = how.say("mean negative log-likelihood, nats", "log-verosimilitud media negativa, nats")
    losses.set(title=loss, xlabel=update, xscale="log")
    best = float(study.losses.min())
    losses.set_ylim(best - 0.003, best + 0.06)
    weights.set(title="r", xlabel=update, xscale="log")
    figure.legend(*weights.get_legend_handles_labels(), frameon=False, loc="outside right center")
    return figure


def rare_token() -> float:
    """Return the cross-entropy of a token that a model of 50 gives a probability of 1e-4."""
    p = torch.zeros(50, dtype=torch.float64)
    p[0] = 1
    q = torch.full((50,), (1 - 1e-4) / 49, dtype=torch.float64)
    q[0] = 1e-4
    return float(cross_entropy(p, q))


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "ML-07",
        "Maximum-likelihood variance of 1, 2, 3, 4: the divisor is K",
        "Varianza de máxima verosimilitud de 1, 2, 3, 4: el divisor es K",
        book=1.25,
        find=lambda _: float(fit_normal(torch.tensor([1.0, 2.0, 3.0, 4.0]).double()).variance),
    ),
    Entry(
        "ML-13",
        "r after 500 updates, of 1,000 examples with r = 0.8",
        "r después de 500 actualizaciones, con 1,000 ejemplos y r = 0.8",
        book=0.7847,
        find=descended,
    ),
    Entry(
        "ML-06",
        "Greatest log-likelihood of one example under N(0, 0.1²): at most 0?",
        "Mayor log-verosimilitud de un ejemplo bajo N(0, 0.1²): ¿a lo más 0?",
        book=0,
        within=5e-5,
        errs="E-M28",
        correct=1.3836,
        find=lambda _: Normal(0.0, 0.1).log_prob(torch.tensor(0.0)).double().item(),
    ),
    Entry(
        "DS-08",
        "Left mode of the mixture, that is said to be at μ₀ = −1",
        "Moda izquierda de la mezcla, que se diría en μ₀ = −1",
        book=-1,
        within=5e-4,
        errs="E-M30",
        correct=-0.623,
        find=lambda _: turns("maxima")[0],
    ),
    Entry(
        "IT-01",
        "Bits of an event of probability 1/8; nats in a certain one",
        "Bits de un evento de probabilidad 1/8; nats de uno seguro",
        book=(3, 0),
        find=lambda _: (self_information(0.125, base=2).item(), abs(self_information(1.0).item())),
    ),
    Entry(
        "IT-03",
        "Cross-entropy of a token of probability 10⁻⁴ among 50: at most ln 50?",
        "Entropía cruzada de un token de probabilidad 10⁻⁴ entre 50: ¿a lo más ln 50?",
        book=math.log(50),
        within=5e-5,
        errs="E-M27",
        correct=9.2103,
        find=lambda _: rare_token(),
    ),
    Entry(
        "FG-38",
        "The normal law nearest to a mixture; means of the two that seek a mode",
        "La ley normal más cercana a una mezcla; medias de las dos que buscan una moda",
        book=(2.5, -2.0),
        within=0.1,
        find=lambda _: tuple(q.loc.item() for q in sought()),
        draw=draw_directions,
    ),
    Entry(
        "FG-39",
        "A mixture and a histogram of its examples",
        "Una mezcla y un histograma de sus ejemplos",
        book=1000,
        find=lambda _: len(examples()),
        draw=draw_mixture,
    ),
    Entry("FG-40", "r under each learning rate", "r con cada tasa de aprendizaje", draw=draw_rates),
)
