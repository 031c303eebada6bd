import itertools

import pytest
import torch
from torch import Generator

from ancestral.autoencoders import FSQ, VQVAE, CodePrior, EMAQuantiser
from ancestral.autoencoders.quantisers import Quantiser
from ancestral.autoregressive import GPT
from ancestral.capabilities import Batch, Encodes, HasBound, HasDensity, Tightens
from ancestral.nn.transformer import GPTShape


def gpt(tokens: int, length: int) -> GPT:
    shape = GPTShape(window=length, width=16, layers=1, heads=2)
    return GPT(tokens, shape=shape, dropout=0.0)


def model(quantiser: Quantiser | None = None, *, classes: int = 0, size: int = 8) -> VQVAE:
    torch.manual_seed(0)
    quantiser = quantiser or FSQ((3, 2))
    prior = gpt(quantiser.codes + max(classes, 1) + 4, ((size + 3) // 4) ** 2)
    return VQVAE(quantiser, prior, size=size, classes=classes, levels=17, width=8).eval()


def images(n: int, size: int = 8) -> torch.Tensor:
    generator = Generator().manual_seed(1)
    return torch.randint(17, (n, 1, size, size), generator=generator) / 16


def test_the_prior_is_a_law_of_codes() -> None:
    for classes in (0, 2):
        torch.manual_seed(0)
        prior = CodePrior(
            gpt(3 + max(classes, 1) + 4, 4), length=4, codes=3, classes=classes
        ).eval()
        every = torch.tensor([*itertools.product(range(3), repeat=4)])
        label = [torch.ones(len(every), dtype=torch.int64)] * bool(classes)
        law = prior(*label)
        assert law.log_prob(every).exp().sum().item() == pytest.approx(1.0, abs=1e-5)


def test_draws_of_the_prior_follow_it() -> None:
    torch.manual_seed(0)
    prior = CodePrior(gpt(2 + 1 + 4, 2), length=2, codes=2).eval()
    for parameter in prior.parameters():  # Far from even.
        parameter.data.mul_(8)
    n = 20_000
    drawn = prior().draw(torch.Size((n,)), Generator().manual_seed(0))
    every = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    wanted = prior().log_prob(every).exp()
    found = (drawn[:, None] == every).all(-1).double().mean(0)
    error = (wanted * (1 - wanted) / n).sqrt()
    assert ((found - wanted).abs() < 5 * error + 1e-6).all()


def test_codes_are_causal() -> None:
    torch.manual_seed(0)
    language = gpt(5 + 1 + 4, 6).eval()
    x = torch.randint(5, (3, 6))
    changed = x.clone()
    changed[:, 4] = (changed[:, 4] + 1) % 5
    a, b = (language.features(rows) for rows in (x, changed))
    torch.testing.assert_close(a[:, :4], b[:, :4])
    assert not torch.allclose(a[:, 4:], b[:, 4:])


def test_the_bound_is_the_joint_and_lies_below_the_sum_over_all_codes() -> None:
    of, x = model(), images(3)
    bound = of.elbo(x)
    every = torch.tensor([*itertools.product(range(6), repeat=4)])
    log_z = of.p.nodes["z"].distribution([]).log_prob(every)
    with torch.no_grad():
        # All pixels and codes together, by brute force: 1296 codes of one image at a time.
        joint = torch.stack(
            [of.decoder(every).log_prob(one.expand(len(every), 1, 8, 8)) + log_z for one in x]
        )
    place = of.codes(x) @ torch.tensor([6**3, 6**2, 6, 1])
    torch.testing.assert_close(bound, joint.gather(1, place[:, None])[:, 0], rtol=1e-5, atol=1e-3)
    assert (bound <= joint.logsumexp(1)).all()


def test_without_a_label_the_bound_sums_over_them() -> None:
    of, x = model(classes=3), images(4)
    of.fit_labels(torch.tensor([1.0, 2.0, 5.0]))
    each = torch.stack([of.elbo(x, given={"label": torch.tensor(k)}) for k in range(3)])
    log_p = (torch.tensor([1.0, 2.0, 5.0]) / 8).log()[:, None]
    torch.testing.assert_close(of.elbo(x).float(), (each + log_p).logsumexp(0))


@pytest.mark.parametrize("quantiser", [FSQ((3, 2)), EMAQuantiser(6, features=2)])
def test_reconstruction_goes_through_the_codes(quantiser: Quantiser) -> None:
    of, x = model(quantiser, size=10), images(5, 10)
    codes = of.codes(x)
    assert codes.shape == (5, 9)
    by_vectors = of.decode(of.encode(x).mean)
    torch.testing.assert_close(by_vectors, of.decode(codes))
    assert by_vectors.shape == x.shape


def test_the_prior_sends_no_gradient_into_the_encoder() -> None:
    of, x = model(), images(4)
    law = of.p.nodes["z"].distribution([])
    loss = -law.log_prob(of.codes(x)).sum()
    (*encoder,) = of.encoder.parameters()
    gradients = torch.autograd.grad(
        loss, [*encoder, *of.p.nodes["z"].conditional.parameters()], allow_unused=True
    )
    assert all(gradient is None for gradient in gradients[: len(encoder)])
    assert any(gradient is not None for gradient in gradients[len(encoder) :])


@pytest.mark.parametrize("quantiser", [FSQ((4, 4)), EMAQuantiser(16, features=4)])
def test_training_uses_several_codes_and_lowers_the_loss(quantiser: Quantiser) -> None:
    of = model(quantiser).train()
    (player,) = of.players()
    assert player.couples_examples == isinstance(quantiser, EMAQuantiser)
    generator = Generator().manual_seed(0)
    base = torch.linspace(0, 1, 8)
    x = torch.stack([base.expand(8, 8), base[:, None].expand(8, 8), base.flip(0).expand(8, 8)])
    x = (x[torch.randint(3, (64,), generator=generator)][:, None] * 16).round() / 16
    optimizer = torch.optim.Adam(of.parameters(), lr=3e-3)
    losses = []
    for _ in range(150):
        loss = player.loss(Batch(x), generator)
        optimizer.zero_grad()
        (loss.total / len(x)).backward()
        optimizer.step()
        losses.append(loss.total.item())
    assert losses[-1] < 0.7 * losses[0]
    assert loss.metrics["used_codes"] > 1
    for name, parameter in of.named_parameters():
        assert parameter.grad is not None, name


def test_it_has_a_bound_and_says_so() -> None:
    of = model()
    assert isinstance(of, HasBound)
    assert isinstance(of, Encodes)
    assert not isinstance(of, HasDensity | Tightens)
    assert of.graph["p"].parents("x") == ("z",)
    assert model(classes=2).graph["p"].parents("z") == ("label",)


def test_a_prior_of_other_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="a language model of 11 tokens, got 12"):
        VQVAE(FSQ((3, 2)), gpt(12, 4), size=8)
