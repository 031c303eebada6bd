import torch
from torch import Generator

from ancestral.autoencoders import AE, GaussianNoise, Masking, SaltAndPepper, dense_networks
from ancestral.capabilities import Batch

N, D = 4000, 50


def seed() -> Generator:
    return Generator().manual_seed(0)


def near(share: float, wanted: float, draws: int = N * D) -> bool:
    return abs(share - wanted) < 5 * (0.25 / draws) ** 0.5


def test_noise_has_the_level_of_its_example() -> None:
    x = torch.full((N, D), 2.0)
    deviation = (GaussianNoise(least=0.5, most=0.5)(x, seed()) - x).std()
    assert abs(float(deviation) - 0.5) < 5 * 0.5 / (2 * N * D) ** 0.5
    each = (GaussianNoise(least=0.0, most=1.0)(x, seed()) - x).std(dim=1)
    # Uniform levels: a tenth of the examples lie below 0.1, a tenth above 0.9.
    assert near(float((each < 0.1).float().mean()), 0.1, N)
    assert abs(float(each.mean()) - 0.5) < 0.02


def test_a_share_of_the_values_is_set_to_zero() -> None:
    x = torch.rand(N, D) + 1
    shown = Masking(least=0.1, most=0.1)(x, seed())
    hit = shown == 0
    assert near(float(hit.float().mean()), 0.1)
    assert torch.equal(shown[~hit], x[~hit])
    shares = (Masking(least=0.3, most=0.7)(x, seed()) == 0).float().mean(1)
    assert float(shares.min()) < 0.3
    assert float(shares.max()) > 0.7
    assert near(float(shares.mean()), 0.5, N)


def test_salt_is_as_frequent_as_pepper() -> None:
    x = torch.full((N, D), 0.5)
    shown = SaltAndPepper(least=0.4, most=0.4)(x, seed())
    assert near(float((shown == 1).float().mean()), 0.2)
    assert near(float((shown == 0).float().mean()), 0.2)
    own = SaltAndPepper(least=1.0, most=1.0, low=-3.0, high=3.0)(x, seed())
    assert set(own.unique().tolist()) == {-3.0, 3.0}


def test_the_channels_of_a_pixel_are_hit_together() -> None:
    x = torch.full((20, 3, 8, 8), 0.5)
    for corruption in (Masking(least=0.5, most=0.5), SaltAndPepper(least=0.5, most=0.5)):
        shown = corruption(x, seed())
        assert torch.equal(shown, shown[:, :1].expand_as(shown))
        assert 0 < float((shown != x).float().mean()) < 1


def test_corruption_is_of_training_alone() -> None:
    encoder, decoder = dense_networks((4,), 2, hidden=(8,))
    corruption = Masking(least=1.0, most=1.0)
    model = AE(encoder, decoder, event_shape=(4,), latent=2, corruption=corruption).eval()
    x = torch.randn(5, 4)
    assert torch.equal(model.encode(x).mean, encoder(x))
    (player,) = model.players()
    blind = model.decode(encoder(torch.zeros(5, 4)))
    torch.testing.assert_close(player.loss(Batch(x), seed()).total, (blind - x).square().sum())
