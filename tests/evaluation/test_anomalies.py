import math

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.autoencoders import AE
from ancestral.classic import KDE
from ancestral.data import standardise, unit_interval
from ancestral.data.dataset import Examples
from ancestral.errors import ConfigError
from ancestral.evaluation.anomalies import Detector, detection
from ancestral.networks.units import InDataUnits


def line(n: int, seed: int, *, off: float = 0.0) -> Examples:
    """Points on a line in the plane, or beside it."""
    generator = Generator().manual_seed(seed)
    t = torch.randn(n, 1, generator=generator)
    side = off * (1 + torch.rand(n, 1, generator=generator))
    return Examples(torch.cat((t + side, t - side), dim=1))


def linear(latent: int) -> InDataUnits:
    """Return an autoencoder by hand: onto the diagonal, or a code that loses nothing."""
    encoder, decoder = nn.Linear(2, latent, bias=False), nn.Linear(latent, 2, bias=False)
    to = torch.full((1, 2), 0.5) if latent == 1 else torch.eye(2)
    back = torch.ones(2, 1) if latent == 1 else torch.eye(2)
    with torch.no_grad():
        encoder.weight.copy_(to)
        decoder.weight.copy_(back)
    model = AE(encoder, decoder, event_shape=(2,), latent=latent).eval()
    return InDataUnits(model, standardise(Examples(torch.randn(2000, 2))))


def told(model: InDataUnits, strange: Examples) -> dict[str, float]:
    detector = Detector.of(model, line(500, 0), line(500, 1))
    normal, other = (detector.score(some).scores for some in (line(300, 2), strange))
    both = {name: torch.cat((normal[name], other[name])) for name in normal}
    found = detection(both, torch.arange(600) >= 300)
    return {name: each["auroc"] for name, each in found.items()}


def test_a_narrow_code_tells_what_is_off_the_line_and_a_wide_one_by_its_code() -> None:
    narrow, wide = (told(linear(latent), line(300, 3, off=0.5)) for latent in (1, 2))
    assert narrow["reconstruction"] > 0.99
    assert narrow["strangeness"] > 0.9
    assert abs(narrow["latent_distance"] - 0.5) < 0.1
    assert wide["reconstruction"] < 0.95  # Nothing is lost of anything but rounding.
    assert wide["latent_distance"] > 0.99


def test_what_is_far_along_the_line_is_told_by_its_code() -> None:
    far = told(linear(1), Examples(line(300, 4).x + 20))
    assert far["latent_distance"] == 1.0


def test_scores_are_what_they_say() -> None:
    model = linear(1)
    train, held_out, x = line(50, 0), line(40, 1), line(7, 2, off=0.3)
    found = Detector.of(model, train, held_out).score(x).scores
    y, codes = model.transform(x.x), model.encode(train.x).mean
    z = model.encode(x.x).mean
    lost = (model.network.decode(z) - y).square().sum(1)
    close = {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(found["reconstruction"], lost.double(), **close)
    distances = torch.cdist(z, codes).sort(dim=1).values[:, :5].mean(1) / codes.std(correction=0)
    torch.testing.assert_close(found["latent_distance"], distances.double(), **close)
    own = Detector.of(model, train, held_out).score(held_out).scores
    total = torch.zeros(7, dtype=torch.float64)
    for name in ("reconstruction", "latent_distance"):
        least = max(0.01 * float(own[name].mean()), 1e-12)
        logs = (own[name] + least).log()
        total += ((found[name] + least).log() - logs.mean()) / logs.std()
    torch.testing.assert_close(found["strangeness"], total)


def test_of_images_it_counts_what_share_is_lost() -> None:
    encoder, decoder = nn.Linear(4, 1, bias=False), nn.Linear(1, 4, bias=False)
    network = AE(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Sequential(decoder, nn.Unflatten(1, (1, 2, 2))),
        event_shape=(1, 2, 2),
        latent=1,
    )
    model = InDataUnits(network.eval(), unit_interval(256))
    images = torch.randint(0, 256, (90, 1, 2, 2), dtype=torch.uint8)
    train, held_out, x = (Examples(images[at : at + 30]) for at in (0, 30, 60))
    found = Detector.of(model, train, held_out).score(x).scores
    assert [*found] == ["reconstruction", "lost_share", "latent_distance", "strangeness"]
    centre = model.transform(train.x).mean(0)
    whole = (model.transform(x.x) - centre).square().flatten(1).sum(1)
    share = found["reconstruction"] / whole.double()
    torch.testing.assert_close(found["lost_share"], share, rtol=1e-4, atol=1e-6)


def test_a_density_is_scored_by_its_surprise_alone() -> None:
    x = torch.randn(200, 2)
    model = InDataUnits(KDE(2).fit(x), standardise(Examples(x)))
    detector = Detector.of(model, Examples(x), Examples(torch.randn(50, 2)))
    found = detector.score(Examples(torch.randn(5, 2))).scores
    assert detector.usual == "surprise"
    assert [*found] == ["surprise"]


def alarms(scores: Tensor, rate: float) -> float:
    held_out, fresh = scores[:200], scores[200:]
    detector = Detector(model=linear(1), normal={"surprise": held_out})
    return float((fresh > detector.threshold(rate)).double().mean())


def test_false_alarms_come_at_the_rate_that_was_asked_for() -> None:
    generator = Generator().manual_seed(0)
    found = torch.tensor([alarms(torch.randn(400, generator=generator), 0.1) for _ in range(300)])
    # At most the rate in the mean, and less by no more than a place among 201.
    error = float(found.std()) / math.sqrt(300)
    assert 0.1 - 1 / 201 - 5 * error < float(found.mean()) < 0.1 + 5 * error


def test_rates_that_so_few_examples_cannot_tell_are_refused() -> None:
    detector = Detector(model=linear(1), normal={"surprise": torch.randn(19)})
    assert detector.threshold(0.05) == float(detector.normal["surprise"].max())
    for rate, line_ in ((0.04, "alarm must be at least 0.05"), (1.0, "between 0 and 1")):
        with pytest.raises(ConfigError, match=line_):
            detector.threshold(rate)
