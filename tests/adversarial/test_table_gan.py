import torch
from torch import Generator, Tensor, nn
from torch.distributions import Gumbel

from ancestral.adversarial import GameRules, TableGAN, critic_loss
from ancestral.adversarial.table_gan import CellGenerator
from ancestral.capabilities import Batch, HasBound, HasDensity
from ancestral.networks.cells import OneHot

SIZES = (2, 3)
CELLS = sum(SIZES)


def cells_of(logits: Tensor, temperature: float = 0.7) -> CellGenerator:
    """Return a generator whose logits are these, whatever z is."""
    network = nn.Linear(1, CELLS, bias=False).double()
    network.weight.data = logits[:, None].clone()
    return CellGenerator(network, SIZES, temperature)


def test_cells_are_draws_from_the_softmax_of_their_column() -> None:
    logits, n = torch.randn(CELLS, dtype=torch.float64), 40_000
    noise = torch.randn(n, CELLS, dtype=torch.float64, generator=Generator().manual_seed(0))
    x = cells_of(logits)(torch.ones(n, 1).double(), noise)
    assert x.dtype == torch.int64
    for column, part in enumerate(logits.split(SIZES)):
        p = part.softmax(dim=0)
        share = x[:, column].bincount(minlength=len(p)) / n
        assert bool(((share - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all())


def test_normal_noise_becomes_gumbel_noise_by_inversion() -> None:
    noise = torch.tensor([[-5.0, -1.0, 0.0, 2.0, 5.0]], dtype=torch.float64)
    parts = cells_of(torch.zeros(CELLS).double())._noisy(torch.ones(1, 1).double(), noise)
    expected = torch.special.ndtr(noise)
    law = Gumbel(torch.zeros(()).double(), torch.ones(()).double())
    torch.testing.assert_close(law.cdf(torch.cat(list(parts), dim=1)), expected)


def test_vectors_are_those_of_the_cells_and_pass_the_gradient_of_the_softmax() -> None:
    made = cells_of(torch.randn(CELLS, dtype=torch.float64), temperature=0.7)
    z, noise = torch.ones(6, 1).double(), torch.randn(6, CELLS, dtype=torch.float64)
    vectors = made.vectors(z, noise)
    assert torch.equal(vectors, OneHot(SIZES).double()(made(z, noise)))
    weights = torch.randn(6, CELLS, dtype=torch.float64)
    (found,) = torch.autograd.grad((vectors * weights).sum(), made.network.weight)
    soft = [(part / 0.7).softmax(dim=1) for part in made._noisy(z, noise)]
    (expected,) = torch.autograd.grad((torch.cat(soft, dim=1) * weights).sum(), made.network.weight)
    torch.testing.assert_close(found, expected)
    assert bool(found.any())


def test_the_critic_reads_real_rows_as_vectors() -> None:
    gan = TableGAN(SIZES, latent=2, hidden=(8,), rules=GameRules(penalty=0.0)).double()
    x = torch.tensor([[0, 2], [1, 1], [1, -1]])
    critic = gan.players()[0]
    loss = critic.loss(Batch(x), Generator().manual_seed(0))
    generator = Generator().manual_seed(0)
    z = torch.randn(3, 2, generator=generator, dtype=torch.float64)
    noise = torch.randn(3, CELLS, generator=generator, dtype=torch.float64)
    fake = gan.critic.logits(OneHot(SIZES).double()(gan.generator(z, noise)))
    real = gan.critic.logits(OneHot(SIZES).double()(x))
    torch.testing.assert_close(loss.total, critic_loss(real, fake).sum())


def test_it_samples_rows_of_cells_and_has_no_density() -> None:
    gan = TableGAN(SIZES)
    assert not isinstance(gan, HasDensity | HasBound)
    assert gan.graph["q"].edges == (("x", "v"), ("v", "y"))
    x = gan.sample(200, generator=Generator().manual_seed(0))
    assert bool((x >= 0).all())
    assert bool((x < torch.tensor(SIZES)).all())
    # What z leaves open is drawn by the noise.
    fixed = gan.sample(200, given={"z": torch.zeros(16)}, generator=Generator().manual_seed(0))
    assert len(fixed.unique(dim=0)) > 1


def test_it_learns_which_cells_go_together() -> None:
    def rows(n: int, generator: Generator) -> Tensor:
        first = (torch.rand(n, generator=generator) < 0.3).long()
        last = torch.rand(n, generator=generator) < 0.1
        return torch.stack((first, torch.where(last, 2, 1 - first)), dim=1)

    def table(x: Tensor) -> Tensor:
        return (x[:, 0] * SIZES[1] + x[:, 1]).bincount(minlength=6) / len(x)

    torch.manual_seed(0)
    gan, generator = TableGAN(SIZES, latent=4, hidden=(32, 32)), Generator().manual_seed(0)
    optimizers = [
        torch.optim.Adam(player.module.parameters(), 2e-3, (0.5, 0.99)) for player in gan.players()
    ]
    for _ in range(600):
        for player, optimizer in zip(gan.players(), optimizers, strict=True):
            loss = player.loss(Batch(rows(128, generator)), generator)
            optimizer.zero_grad()
            (loss.total / loss.weight).backward(inputs=list(player.module.parameters()))
            optimizer.step()
    truth = table(rows(100_000, generator))
    distance = 0.5 * (table(gan.sample(20_000, generator=generator)) - truth).abs().sum()
    alone = torch.outer(truth.view(2, 3).sum(dim=1), truth.view(2, 3).sum(dim=0)).flatten()
    assert distance < 0.1 < 0.5 * (alone - truth).abs().sum()
