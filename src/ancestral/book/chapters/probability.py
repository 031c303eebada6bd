"""Chapter 1, first half: what generative models are, probability."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.distributions import Categorical, MultivariateNormal, Normal
from torch.func import grad

from ancestral.book.entry import Entry, How
from ancestral.book.reasons import OTHERS, OTHERS_DRAWING
from ancestral.information import ParabolicDensity, independent, marginal_normal, sum_of_normals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEAN = torch.tensor([-1.0, 2.0], dtype=torch.float64)
COVARIANCES = {
    "diagonal": torch.tensor([[3.0, 0.0], [0.0, 1.0]], dtype=torch.float64),
    "correlated": torch.tensor([[3.0, 1.0], [1.0, 1.0]], dtype=torch.float64),
}
SIMPLEX = ((0.2, 0.3, 0.5), (0.6, 0.3, 0.1), (1 / 3, 1 / 3, 1 / 3))
SPREADS = (0.25, 1.0, 4.0)


def between(low: float, high: float) -> float:
    """Return the probability of an interval under the book's toy density."""
    ends = torch.tensor([low, high], dtype=torch.float64)
    return ParabolicDensity(dtype=torch.float64).cdf(ends).diff().item()


def within(errors: float) -> float:
    """Return the percentage of a Gaussian within so many standard deviations."""
    return 100 * (2 * Normal(0.0, 1.0).cdf(torch.tensor(errors, dtype=torch.float64)).item() - 1)


def curvature(x: float) -> float:
    """Return the sign of the second derivative of the standard Gaussian's density."""
    law = Normal(0.0, 1.0, validate_args=False)
    slope = grad(lambda at: law.log_prob(at).exp())
    return grad(slope)(torch.tensor(x, dtype=torch.float64)).sign().item()


def normal(shape: str) -> MultivariateNormal:
    """Return one of the book's two Gaussians in the plane."""
    return MultivariateNormal(MEAN, COVARIANCES[shape])


def marginals(shape: str) -> tuple[float, ...]:
    """Return mean and variance of each coordinate."""
    found = [marginal_normal(normal(shape), [axis]) for axis in (0, 1)]
    return tuple(x.item() for p in found for x in (p.loc, p.covariance_matrix))


def axis_angle(shape: str) -> float:
    """Return the direction of the longer axis of the ellipses, in degrees."""
    across, up = torch.linalg.eigh(normal(shape).covariance_matrix).eigenvectors[:, -1]
    return torch.rad2deg((up / across).atan()).item()


def coin_and_die() -> float:
    """Return the probability of one face of both, where they are independent."""
    joint = torch.full((2, 6), 1 / 12, dtype=torch.float64)
    return joint[0, 0].item() if independent(joint) else 0.0


def frequencies(how: How) -> list[Tensor]:
    """Return how often each of three classes is drawn in 100, under each law."""
    draws = [Categorical(torch.tensor(r)).probs for r in SIMPLEX]
    found = (torch.multinomial(p, 100, replacement=True, generator=how.noise) for p in draws)
    return [torch.bincount(x, minlength=3) for x in found]


def draw_frequencies(how: How) -> "Figure":
    """Draw figure 14."""
    from ancestral.book.drawing import COLOURS, sheet

    figure, panels = sheet(9, 2.6, across=3, sharey=True)
    for axes, r, counts in zip(panels, SIMPLEX, frequencies(how), strict=True):
        axes.bar((1, 2, 3), counts.tolist(), color=COLOURS[:3])
        title = ", ".join(f"{p:.2f}" for p in r)
        axes.set(title=f"r = ({title})", xticks=(1, 2, 3), xlabel=how.say("class", "clase"))
    panels[0].set_ylabel(how.say("times in 100", "veces de 100"))
    return figure


def draw_parabola(how: How) -> "Figure":
    """Draw figure 15."""
    from ancestral.book.drawing import BLUE, INK, RED, sheet

    law = ParabolicDensity(dtype=torch.float64)
    figure, (axes,) = sheet(6.5, 3)
    x = torch.linspace(-3, 3, 400, dtype=torch.float64)
    axes.plot(x.numpy(), law.log_prob(x).exp().numpy(), color=INK)
    for low, high, colour in ((-2, -1, BLUE), (0, 1, RED)):
        part = torch.linspace(low, high, 100, dtype=torch.float64)
        label = f"P({low} ≤ x ≤ {high}) = {between(low, high):.4f}"
        density = law.log_prob(part).exp()
        axes.fill_between(part.numpy(), density.numpy(), color=colour, alpha=0.4, label=label)
    axes.set(title="p(x) = (10 − x²) / 42", xlabel="x", ylim=(0, 0.3))
    axes.set_ylabel(how.say("density", "densidad"))
    axes.legend(frameon=False, loc="upper left", ncols=2)
    return figure


def draw_spreads(how: How) -> "Figure":
    """Draw figure 16."""
    from ancestral.book.drawing import COLOURS, sheet

    figure, (axes,) = sheet(7, 3)
    x = torch.linspace(-7, 7, 500, dtype=torch.float64)
    noise = torch.randn(50, generator=how.noise, dtype=torch.float64)
    for row, (variance, colour) in enumerate(zip(SPREADS, COLOURS, strict=False)):
        law = Normal(torch.zeros((), dtype=torch.float64), variance**0.5)
        axes.plot(x.numpy(), law.log_prob(x).exp().numpy(), color=colour, label=f"σ² = {variance}")
        drawn = (noise * law.scale).numpy()
        axes.plot(drawn, [-0.06 * (row + 1)] * 50, "|", color=colour, markersize=9)
    axes.set(xlabel="x", title=how.say("50 draws of each", "50 muestras de cada una"))
    axes.legend(frameon=False)
    return figure


def draw_ellipses(how: How) -> "Figure":
    """Draw figure 17."""
    from ancestral.book.drawing import BLUE, RED, sheet

    figure, panels = sheet(9, 3.4, across=2)
    for axes, shape, colour in zip(panels, COVARIANCES, (BLUE, RED), strict=True):
        contours(axes, shape, colour)
        angle = f"{axis_angle(shape):.1f}°"
        axes.set_title(how.say(f"longer axis at {angle}", f"eje mayor a {angle}"))
    return figure


def contours(axes, shape: str, colour: str) -> None:  # noqa: ANN001 - matplotlib's
    """Draw the level curves of one of the two Gaussians."""
    across = torch.linspace(-7, 5, 160, dtype=torch.float64)
    up = torch.linspace(-1.5, 5.5, 160, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(across, up, indexing="xy"), dim=-1)
    density = normal(shape).log_prob(grid).exp()
    axes.contour(across.numpy(), up.numpy(), density.numpy(), levels=7, colors=colour)
    axes.set(aspect="equal", xlabel="x₁", ylabel="x₂")


def draw_marginals(shape: str, how: How) -> "Figure":
    """Draw figure 18 or 19."""
    from ancestral.book.drawing import BLUE, INK, RED, sheet

    figure, (plane, *sides) = sheet(9, 3.2, across=3)
    contours(plane, shape, BLUE if shape == "diagonal" else RED)
    found = marginals(shape)
    for axis, axes in enumerate(sides):
        mean, variance = found[2 * axis : 2 * axis + 2]
        x = torch.linspace(mean - 6, mean + 6, 300, dtype=torch.float64)
        law = marginal_normal(normal(shape), [axis])
        axes.plot(x.numpy(), law.log_prob(x[:, None]).exp().numpy(), color=INK)
        axes.set(
            title=f"p(x{'₁₂'[axis]}) = N({mean:g}, {variance:g})", xlim=(-7, 8), ylim=(0, 0.45)
        )
    plane.set_title(how.say("joint", "conjunta"))
    return figure


ENTRIES: tuple[Entry, ...] = (
    *(
        Entry(f"FG-{number:02}", english, spanish, reason=reason)
        for number, english, spanish, reason in (
            (1, "Inpainting", "Relleno de imágenes", OTHERS),
            (2, "Style transfer", "Transferencia de estilo", OTHERS),
            (3, "Video edited by a prompt", "Edición de video por una instrucción", OTHERS),
            (4, "DOOM played inside a diffusion model", "DOOM en un modelo de difusión", OTHERS),
            (5, "A robot led by a language model", "Un robot y un modelo de lenguaje", OTHERS),
            (6, "Diffusion of molecules", "Difusión de moléculas", OTHERS),
            (7, "Planning and use of tools", "Planificación y uso de herramientas", OTHERS),
            (8, "Cells by Schrödinger bridges", "Células y puentes de Schrödinger", OTHERS),
            (9, "Sequence to sequence", "Secuencia a secuencia", OTHERS_DRAWING),
            (10, "The discriminator's task", "La tarea del discriminador", OTHERS_DRAWING),
            (11, "Encoder and decoder of a VAE", "Codificador y decodificador", OTHERS_DRAWING),
            (12, "A flow from noise to data", "Un flujo del ruido a los datos", OTHERS_DRAWING),
            (13, "Denoising step by step", "Eliminación de ruido por pasos", OTHERS_DRAWING),
        )
    ),
    Entry(
        "PR-06.a",
        "Integral of (10 − x²) / 42 over [−3, 3]",
        "Integral de (10 − x²) / 42 en [−3, 3]",
        book=1,
        find=lambda _: between(-3, 3),
    ),
    Entry(
        "PR-06.b",
        "P(−2 ≤ x ≤ −1) of that density, 23/126",
        "P(−2 ≤ x ≤ −1) de esa densidad, 23/126",
        book=0.18,
        within=0.005,
        find=lambda _: between(-2, -1),
    ),
    Entry(
        "PR-06.c",
        "P(0 ≤ x ≤ 1) of that density, 29/126",
        "P(0 ≤ x ≤ 1) de esa densidad, 29/126",
        book=0.23,
        within=0.005,
        find=lambda _: between(0, 1),
    ),
    Entry(
        "PR-08.a",
        "Percentage of a Gaussian within σ",
        "Porcentaje de una gaussiana a menos de σ",
        book=68,
        within=0.5,
        find=lambda _: within(1),
    ),
    Entry(
        "PR-08.b",
        "Percentage of a Gaussian within 2σ",
        "Porcentaje de una gaussiana a menos de 2σ",
        book=95,
        within=0.5,
        find=lambda _: within(2),
    ),
    Entry(
        "PR-08.c",
        "Percentage of a Gaussian within 3σ",
        "Porcentaje de una gaussiana a menos de 3σ",
        book=99.8,
        within=0.005,
        errs="E-M01",
        correct=99.73,
        find=lambda _: within(3),
    ),
    Entry(
        "PR-08.d",
        "p(x − μ) and p(μ − x) of N(1, 1) at x = 3: is that its symmetry?",
        "p(x − μ) y p(μ − x) de N(1, 1) en x = 3: ¿es esa su simetría?",
        book=(0.242, 0.242),
        within=5e-5,
        errs="E-M02",
        correct=(0.242, 0.0044),
        find=lambda _: tuple(Normal(1.0, 1.0).log_prob(torch.tensor([2.0, -2.0])).exp().tolist()),
    ),
    Entry(
        "PR-08.e",
        "Sign of the curvature of the density of N(0, 1) at 2: strictly concave?",
        "Signo de la curvatura de la densidad de N(0, 1) en 2: ¿estrictamente cóncava?",
        book=-1,
        errs="E-M03",
        correct=1,
        find=lambda _: curvature(2.0),
    ),
    Entry(
        "PR-10",
        "Variance of x₁ + x₂, both N(0, 1), with covariance −1/2",
        "Varianza de x₁ + x₂, ambas N(0, 1), con covarianza −1/2",
        book=2,
        errs="E-M05",
        correct=1,
        find=lambda _: float(
            sum_of_normals(Normal(0.0, 1.0), Normal(0.0, 1.0), covariance=-0.5).variance
        ),
    ),
    Entry(
        "PR-11",
        "Eigenvalues of [[3, 1], [1, 1]]: is the ellipse only rotated?",
        "Autovalores de [[3, 1], [1, 1]]: ¿la elipse solo rota?",
        book=(1, 3),
        errs="E-M08",
        correct=(2 - 2**0.5, 2 + 2**0.5),
        find=lambda _: tuple(
            torch.linalg.eigvalsh(normal("correlated").covariance_matrix).tolist()
        ),
    ),
    Entry(
        "PR-13",
        "One face of a coin and of a die, 1/12",
        "Una cara de una moneda y de un dado, 1/12",
        book=1 / 12,
        find=lambda _: coin_and_die(),
    ),
    Entry(
        "FG-14",
        "100 draws of three categorical laws: the bars sum to",
        "100 muestras de tres leyes categóricas: las barras suman",
        book=(100, 100, 100),
        find=lambda how: tuple(int(counts.sum()) for counts in frequencies(how)),
        draw=draw_frequencies,
    ),
    Entry(
        "FG-15",
        "Two areas under (10 − x²) / 42",
        "Dos áreas bajo (10 − x²) / 42",
        book=(0.18, 0.23),
        within=0.005,
        find=lambda _: (between(-2, -1), between(0, 1)),
        draw=draw_parabola,
    ),
    Entry(
        "FG-16",
        "50 draws of Gaussians of three variances",
        "50 muestras de gaussianas de tres varianzas",
        draw=draw_spreads,
    ),
    Entry("FG-17", "Two Gaussians in the plane", "Dos gaussianas en el plano", draw=draw_ellipses),
    *(
        Entry(
            number,
            f"Means and variances of the margins, {english}",
            f"Medias y varianzas de las marginales, {spanish}",
            book=(-1, 3, 2, 1),
            find=lambda _, shape=shape: marginals(shape),
            draw=lambda how, shape=shape: draw_marginals(shape, how),
        )
        for number, shape, english, spanish in (
            ("FG-18", "diagonal", "diagonal covariance", "covarianza diagonal"),
            ("FG-19", "correlated", "correlated: the same", "correlacionada: las mismas"),
        )
    ),
)
