import itertools
import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.autoencoders import Categoricals, GaussianMixturePrior, TableVAE
from ancestral.capabilities import Batch, Encodes, HasBound, SamplesMeans, Tightens
from ancestral.networks.sampling import draw

SIZES = (2, 3, 2)
ALL = torch.tensor(list(itertools.product(*map(range, SIZES))))
GRID = torch.linspace(-12, 12, 4001, dtype=torch.float64)
"""Points of the trapezoid rule over the one latent: exact to many digits for smooth functions."""


def model(
    *,
    latent: int = 1,
    hidden: tuple[int, ...] = (),
    components: int = 0,
    classes: int = 0,
    times: float = 2,
) -> TableVAE:
    prior = GaussianMixturePrior(latent, components=components) if components else None
    torch.manual_seed(1)
    found = TableVAE(SIZES, latent=latent, hidden=hidden, prior=prior, classes=classes).double()
    with torch.no_grad():  # So that z says much of x, and x of z.
        for parameter in found.parameters():
            parameter.mul_(times)
    return found


def prior(z: Tensor) -> Tensor:
    return -0.5 * (z**2 + math.log(2 * math.pi))


def given_z(net: TableVAE, x: Tensor, label: int | None = None) -> Tensor:
    """log p(x | z) of rows [N, D] at every point of the grid, [N, points]."""
    parents = () if label is None else (torch.full((len(GRID),), label),)
    return net.decoder(GRID[:, None], *parents).log_prob(x[:, None, :])


@torch.no_grad()
def log_prob(net: TableVAE, x: Tensor, label: int | None = None) -> Tensor:
    """The exact log p(x) of a model of one latent, or that given the label, by quadrature."""
    inside = given_z(net, x, label) + prior(GRID)
    return inside.logsumexp(dim=1) + (GRID[1] - GRID[0]).log()


@torch.no_grad()
def test_the_elbo_is_that_of_quadrature_and_lies_below_the_exact_log_probability() -> None:
    net, draws = model(), 20_000
    exact = log_prob(net, ALL)
    assert exact.exp().sum().item() == pytest.approx(1, abs=1e-9)
    log_q = net.encode(ALL).log_prob(GRID[:, None, None]).T
    inside = log_q.exp() * (given_z(net, ALL) + prior(GRID) - log_q)
    by_quadrature = inside.sum(dim=1) * (GRID[1] - GRID[0])
    each = net.elbo(ALL.repeat(draws, 1), generator=Generator().manual_seed(0)).view(draws, -1)
    error = each.std(dim=0) / draws**0.5
    assert bool(((each.mean(dim=0) - by_quadrature).abs() < 5 * error).all())
    assert bool((by_quadrature < exact).all())


@torch.no_grad()
@pytest.mark.parametrize("x", [ALL, torch.tensor([[0, -1, 1], [-1, 2, -1]])], ids=["all", "gaps"])
def test_importance_weights_give_the_exact_log_probability_of_what_is_known(x: Tensor) -> None:
    net = model()
    found = net.estimate_log_prob(x, draws=20_000, generator=Generator().manual_seed(0))
    torch.testing.assert_close(found, log_prob(net, x), atol=0.05, rtol=0)


@torch.no_grad()
def test_a_label_that_is_not_given_is_summed_out() -> None:
    net, noise = model(classes=3, times=1), Generator().manual_seed(0)
    net.fit_labels(torch.tensor([1, 2, 5]))
    each = torch.stack([log_prob(net, ALL, k) for k in range(3)])
    for label, exact in enumerate(each):
        given = {"label": torch.tensor(label)}
        found = net.estimate_log_prob(ALL, given=given, draws=20_000, generator=noise)
        torch.testing.assert_close(found, exact, atol=0.05, rtol=0)
    exact = (each + torch.tensor([1, 2, 5]).double().div(8).log()[:, None]).logsumexp(dim=0)
    found = net.estimate_log_prob(ALL, draws=20_000, generator=noise)
    torch.testing.assert_close(found, exact, atol=0.05, rtol=0)


@torch.no_grad()
def test_what_is_not_known_is_summed_out() -> None:
    law = Categoricals(torch.randn(7, dtype=torch.float64), SIZES)
    every = law.log_prob(ALL)
    assert every.exp().sum().item() == pytest.approx(1, abs=1e-12)
    for row in ([-1, 2, -1], [0, -1, -1], [-1, -1, -1]):
        part = torch.tensor(row)
        fits = ((part == -1) | (part == ALL)).all(dim=1)
        torch.testing.assert_close(law.log_prob(part), every[fits].logsumexp(dim=0))


def test_a_row_of_categoricals_draws_its_columns_and_knows_the_most_probable_row() -> None:
    logits = torch.randn(2, 7, dtype=torch.float64)
    law, n = Categoricals(logits, SIZES), 20_000
    drawn = draw(law, (n,), Generator().manual_seed(0))
    assert drawn.shape == (n, 2, 3)
    p = law.log_prob(ALL[:, None]).exp()
    share = (drawn[None] == ALL[:, None, None]).all(dim=-1).double().mean(dim=1)
    assert bool(((share - p).abs() < 5 * (p * (1 - p) / n).sqrt() + 1e-9).all())
    assert torch.equal(law.mode, ALL[p.argmax(dim=0)])


def test_every_parameter_learns_also_from_rows_with_unknown_cells() -> None:
    net = model(latent=2, hidden=(8,), components=3)
    (player,) = net.players()
    x = torch.cat((ALL, torch.tensor([[0, -1, 1]])))
    loss = player.loss(Batch(x), Generator().manual_seed(0))
    assert loss.weight == len(x)
    loss.total.backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.any()), name


def test_decoding_gives_rows_of_cells_and_there_are_no_means() -> None:
    net = model(latent=2, hidden=(8,))
    assert isinstance(net, HasBound | Tightens | Encodes)
    assert not isinstance(net, SamplesMeans)
    decoded = net.decode(torch.zeros(3, 2, dtype=torch.float64))
    assert decoded.dtype == torch.int64
    assert decoded.shape == (3, 3)


def test_bad_input_is_refused() -> None:
    net = model()
    with pytest.raises(ValueError, match="column 2 must hold cells 0 to 2, or -1, got 3 to 3"):
        net.elbo(torch.tensor([[0, 3, 0]]))
    with pytest.raises(ValueError, match="conditional on nothing"):
        net.elbo(ALL, given={"x1": torch.tensor(0)})
