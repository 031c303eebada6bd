"""The bound against the law of the sampler, enumerated: six tokens, blocks of three."""

import itertools
import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.capabilities import Batch
from ancestral.diffusion.masked import MaskedDiffusion
from ancestral.nn.transformer import GPTParts, GPTShape

V, BLOCK, BOS, EOS = 6, 3, 2, 3
SHAPE = GPTShape(window=6, width=8, layers=2, heads=2)
PARTS = GPTParts(positions="rotary", norm="rms", feed_forward="swiglu", qk_norm=True, tied=True)


def tiny(seed: int = 0, block: int = BLOCK) -> MaskedDiffusion:
    torch.manual_seed(seed)
    model = MaskedDiffusion(V, shape=SHAPE, parts=PARTS, block=block, dropout=0.0).double().eval()
    with torch.no_grad():  # Far from uniform, so that the order matters.
        for parameter in model.parameters():
            parameter += 0.5 * torch.randn_like(parameter)
    return model


def independent() -> MaskedDiffusion:
    """A network that sees nothing but that a token is masked."""
    model = tiny()
    with torch.no_grad():
        model.beside.weight.zero_()
        for block in model.blocks:
            block.attention.out.weight.zero_()
            block.feed_forward.out.weight.zero_()
    return model


class Law:
    """What the sampler does with the first block after BOS, by brute force."""

    def __init__(self, model: MaskedDiffusion) -> None:
        self.model, self.seen = model, {}
        state = model.start(1, length=1)
        first = torch.tensor([[BOS, model.mask]])
        before = model.read(first, (0, 1), state)[:, -1]
        self.sizes = model.size_logits(before, known=torch.tensor([0])).log_softmax(1)[0]

    def conditional(self, z: tuple[int, ...]) -> Tensor:
        """Log-probabilities of every token at every place of a block, given what is known."""
        if z not in self.seen:
            model, state = self.model, self.model.start(1, length=1 + len(z))
            canvas = torch.tensor([[BOS, *z, model.mask]])
            model.read(torch.tensor([[BOS, *[model.mask] * (len(z) + 1)]]), (0, 1), state)
            features = model.read(canvas, (1, 1 + len(z)), state, keep=False)
            self.seen[z] = model.head(features)[0].log_softmax(-1)
        return self.seen[z]

    def log_prob(self, block: tuple[int, ...]) -> Tensor:
        """Log-probability of a block of so many tokens: a mean over the orders."""
        size = len(block)
        each = []
        for order in itertools.permutations(range(size)):
            z, total = [self.model.mask] * size, torch.zeros((), dtype=torch.float64)
            for place in order:
                total = total + self.conditional(tuple(z))[place, block[place]]
                z[place] = block[place]
            each.append(total)
        mean = torch.stack(each).logsumexp(0) - math.log(len(each))
        return mean + self.sizes[size - 1]

    def bound(self, block: tuple[int, ...]) -> Tensor:
        """The expectation of the bound: a mean over counts and sets of masked tokens."""
        size, total = len(block), self.sizes[len(block) - 1]
        for count in range(1, size + 1):
            sets = list(itertools.combinations(range(size), count))
            for chosen in sets:
                z = tuple(self.model.mask if i in chosen else t for i, t in enumerate(block))
                own = sum(self.conditional(z)[i, block[i]] for i in chosen)
                total = total + own / count / len(sets)
        return total


def texts() -> list[tuple[int, ...]]:
    ended = [(*body, EOS) for r in (0, 1) for body in itertools.product(range(2), repeat=r)]
    return ended + list(itertools.product((0, 1, EOS), repeat=BLOCK))


@torch.no_grad()
def test_the_law_of_the_sampler_sums_to_one() -> None:
    law = Law(tiny())
    each = [itertools.product(range(V), repeat=size) for size in range(1, BLOCK + 1)]
    total = torch.stack([law.log_prob(block) for some in each for block in some]).logsumexp(0)
    assert float(total) == pytest.approx(0.0, abs=1e-10)


@torch.no_grad()
@pytest.mark.parametrize("seed", [0, 1])
def test_the_bound_lies_below_the_law(seed: int) -> None:
    law = Law(tiny(seed))
    gaps = [float(law.log_prob(block) - law.bound(block)) for block in texts()]
    assert min(gaps) > -1e-12
    assert max(gaps) > 1e-3  # Where the order matters, it is no equality.


@torch.no_grad()
def test_the_estimate_of_the_bound_is_unbiased() -> None:
    model = tiny()
    law = Law(model)
    for block in [(0, EOS), (1, 0, 1), (0, 1, EOS), (EOS,)]:
        x = torch.tensor([[BOS, *block]]).expand(2_000, -1)
        found = model.elbo(x, generator=Generator().manual_seed(0))
        # Strata make the error smaller than that of independent draws.
        error = float(found.std()) / math.sqrt(len(x))
        assert float(found.mean() - law.bound(block)) == pytest.approx(0, abs=5 * error + 1e-9)


@torch.no_grad()
def test_where_tokens_are_independent_the_bound_is_the_law() -> None:
    model = independent()
    law = Law(model)
    for block in texts():
        assert float(law.bound(block)) == pytest.approx(float(law.log_prob(block)), abs=1e-10)
    for block in [(0, 0, 0), (1, 1, 1)]:  # Of equal tokens each draw is the law itself.
        x = torch.tensor([[BOS, *block]]).expand(20, -1)
        found = model.elbo(x, generator=Generator().manual_seed(0))
        torch.testing.assert_close(found, law.log_prob(block).expand(20), atol=1e-10, rtol=0)


@torch.no_grad()
def test_the_sampler_draws_from_the_law() -> None:
    model, n = tiny(), 6_000
    law, x = Law(model), model.sample(n, generator=Generator().manual_seed(0))
    for block in [(0, EOS), (1, EOS), (0, 1, EOS), (1, 1, EOS)]:
        row = torch.tensor([BOS, *block])
        share = float((x[:, : len(row)] == row).all(1).double().mean())
        p = float(law.log_prob(block).exp())
        for more in range(1, BLOCK - len(block) + 1):  # What comes after EOS is cut off.
            rest = itertools.product(range(V), repeat=more)
            p += sum(float(law.log_prob((*block, *tokens)).exp()) for tokens in rest)
        assert share == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / n))


@torch.no_grad()
def test_blocks_of_one_token_are_the_chain_rule() -> None:
    model = tiny(block=1)
    x = torch.tensor([[BOS, 0, 1, 1, EOS]])
    state, total = model.start(1, length=5), 0.0
    model.read(torch.tensor([[BOS] + [model.mask] * 5]), (0, 1), state)
    for place in range(1, 5):
        known = [*x[0, :place].tolist(), *[model.mask] * (6 - place)]
        features = model.read(torch.tensor([known]), (place, place + 1), state, keep=False)
        total += float(model.head(features)[0, 0].log_softmax(-1)[x[0, place]])
        known[place] = int(x[0, place])
        model.read(torch.tensor([known]), (place, place + 1), state)
    assert float(model.elbo(x)) == pytest.approx(total, abs=1e-10)


@torch.no_grad()
def test_blocks_add_up_and_documents_do_not_see_each_other() -> None:
    model = tiny(block=2)
    one, other = [BOS, 0, 1, EOS], [BOS, 1, 1]
    x = torch.tensor([one + other])
    seeds = range(300)
    joint = [float(model.elbo(x, generator=Generator().manual_seed(s))) for s in seeds]
    parts = [
        sum(float(model.elbo(torch.tensor([t]), generator=Generator().manual_seed(s))) for t in ts)
        for s in seeds
        for ts in [(one, other)]
    ]
    both = torch.tensor([joint, parts])
    error = float(both.var(1).sum().sqrt()) / math.sqrt(len(joint))
    assert float(both[0].mean() - both[1].mean()) == pytest.approx(0, abs=5 * error)


@torch.no_grad()
def test_what_is_known_costs_nothing_and_the_rest_is_given_it() -> None:
    model, generator = tiny(block=2), Generator()
    x = torch.tensor([[BOS, 0, 1, 1, 0, 0, EOS]])
    draws = 4_000
    parts = []
    for known in (1, 3):
        rows = x.expand(draws, -1)
        parts.append(
            model.elbo(
                rows, given={"known": torch.tensor(known)}, generator=generator.manual_seed(1)
            )
        )
    first = model.elbo(x[:, :3].expand(draws, -1), generator=generator.manual_seed(2))
    gap = parts[0].mean() - parts[1].mean() - first.mean()
    error = math.sqrt(sum(float(part.var()) for part in (*parts, first)) / draws)
    assert float(gap) == pytest.approx(0, abs=5 * error)


@torch.no_grad()
def test_a_block_that_is_cut_costs_that_it_is_no_shorter() -> None:
    model = tiny(block=4)
    model.tokens.weight.zero_()  # All tokens are alike, and sizes the same everywhere.
    sizes = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    model.sizes.bias.copy_(sizes.log())
    others = range(2)
    ended = [(EOS,), *((one, EOS) for one in others)]
    cut = list(itertools.product(others, others))
    for more in ended + cut:
        x = torch.tensor([[BOS, 0, 1, 0, 1, *more]])
        found = float(model.elbo(x, given={"known": torch.tensor(5)}).exp())
        p = sizes[1:].sum() if more in cut else sizes[len(more) - 1]
        assert found == pytest.approx(float(p) / V ** len(more), rel=1e-9), more
    # Of two known tokens of a block of four it has two at least.
    x = torch.tensor([[BOS, 0, 1, 0]])
    found = float(model.elbo(x, given={"known": torch.tensor(3)}).exp())
    assert found == pytest.approx(0.3 / 0.6 / V, rel=1e-9)


def test_later_blocks_and_masked_tokens_are_not_seen() -> None:
    model = tiny(block=2)
    x = torch.tensor([[BOS, 0, 1, 1, 0, 0, EOS]])
    y = x.clone()
    y[0, 3:] = torch.tensor([0, 1, 1, 0])

    def seen(tokens: Tensor) -> Tensor:
        return model._pass(tokens, 1, 0.0, Generator().manual_seed(0)).noisy[0, 1:3]

    torch.testing.assert_close(seen(x), seen(y), atol=0, rtol=0)


@pytest.mark.parametrize("holes", [0.0, 1.0])
def test_every_parameter_learns_but_sizes_where_there_are_holes(holes: float) -> None:
    model = tiny(block=2).train()
    model.hole_rate = holes
    x = torch.tensor([[BOS, 0, 1, 1, 0, 0, EOS]]).expand(64, -1)
    (player,) = model.players()
    loss = player.loss(Batch(x), Generator().manual_seed(0))
    assert loss.weight == 64 * 6
    loss.total.backward()
    learns = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    every = {name for name, _ in model.named_parameters()}
    assert every - learns == ({"sizes.weight", "sizes.bias"} if holes else set())


@torch.no_grad()
def test_of_one_block_one_copy_is_what_two_were() -> None:
    model = tiny(block=6)
    x = torch.tensor([[BOS, 0, 1, 1, 0, 0, EOS], [BOS, 0, EOS, BOS, 1, 0, 1]])
    passes = []
    for window in (6, 7):  # A block below the window has a clean copy beside the masked one.
        model.window = window
        passes.append(model._pass(x, 1, 0.0, Generator().manual_seed(1)))
    one, two = passes
    assert one.masked.equal(two.masked)
    assert one.noisy.shape == two.noisy.shape
    torch.testing.assert_close(one.noisy[one.masked], two.noisy[two.masked])
    begins = x == BOS
    torch.testing.assert_close(one.clean[begins], two.clean[begins])


@torch.no_grad()
def test_a_fixed_rate_learns_that_share_of_each_text_and_nothing_else() -> None:
    # PN-13: the loss is of masked tokens only; each sees those after it, too.
    model = tiny(block=6)
    model.rate = 0.3
    x = torch.tensor([[BOS, 0, 1, 1, 0, 0, EOS], [BOS, 0, EOS, BOS, 1, 0, 1]])
    found = model._pass(x, 1, 0.0, Generator().manual_seed(3), model.rate)
    assert [int(row.sum()) for row in found.masked] == [2, 2]  # Of 6, and of 2 and 3.
    log_p = model.head(found.noisy).log_softmax(-1).gather(2, x[..., None])[..., 0]
    each = {(0, 1): 6 / 2, (1, 1): 2 / 1, (1, 4): 3 / 1}
    weights = torch.zeros(x.shape, dtype=torch.float64)
    for (row, first), weight in each.items():
        weights[row, first : first + 6] = weight
    want = -(log_p * weights)[found.masked].sum() + model._size_costs(x, 1, found).sum()
    loss = model.players()[0].loss(Batch(x), Generator().manual_seed(3))
    assert float(loss.total) == pytest.approx(float(want))
    other, last = x.clone(), int((~found.masked[0]).nonzero()[-1])
    other[0, last] = (other[0, last] + 1) % 2
    changed = model._pass(other, 1, 0.0, Generator().manual_seed(3), model.rate)
    assert changed.masked.equal(found.masked)
    assert last > int(found.masked[0].nonzero()[0])
    assert bool((changed.noisy[0] != found.noisy[0])[found.masked[0]].any())


def test_a_fifth_of_what_is_learned_is_not_masked() -> None:
    model, x = MaskedDiffusion(50, shape=SHAPE, rate=0.5), torch.full((200, 100), 7)
    masked = torch.arange(100).expand(200, -1) % 2 == 0
    z = model._disturbed(x.masked_fill(masked, model.mask), x, masked, Generator().manual_seed(0))
    n = int(masked.sum())
    kept, other = (z == 7)[masked].sum() / n, ((z != 7) & (z != model.mask))[masked].sum() / n
    # A tenth each; of the replaced, one in 46 is the same token. Five standard errors.
    assert float(kept) == pytest.approx(0.1 + 0.1 / 46, abs=0.015)
    assert float(other) == pytest.approx(0.1 * 45 / 46, abs=0.015)
    assert bool((z == 7)[~masked].all())
    assert int(z[z != model.mask].max()) < model.special.bos


def test_a_hole_is_made_given_what_follows_it() -> None:
    model = tiny(block=2)
    x = torch.tensor([[BOS, 0, 1, 1, 0, 0, EOS]])
    y = x.clone()
    y[0, 5] = 1  # In the last block.

    def seen(tokens: Tensor, seed: int) -> Tensor:
        return model._pass(tokens, 1, 1.0, Generator().manual_seed(seed)).noisy[0]

    differ = {bool((seen(x, seed)[1:5] != seen(y, seed)[1:5]).any()) for seed in range(20)}
    assert differ == {False, True}


@torch.no_grad()
def test_the_loss_is_minus_the_bound_where_there_are_no_holes() -> None:
    model = tiny()
    model.hole_rate = 0.0
    x = torch.tensor([[BOS, 0, 1, 1, 0, 0, EOS]]).expand(16, -1)
    (player,) = model.players()
    loss = player.loss(Batch(x), Generator().manual_seed(3))
    bound = model.elbo(x, generator=Generator().manual_seed(3))
    assert float(loss.total) == pytest.approx(-float(bound.sum()), rel=1e-9)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"block": 0}, "block must lie between 1 and 6, got 0"),
        ({"block": 7}, "block must lie between 1 and 6, got 7"),
        ({"dropout": 1.0}, "dropout"),
        ({"holes": 1.5}, "holes"),
        ({"rate": 0.0}, r"rate must lie in \(0, 1\], got 0.0"),
    ],
)
def test_wrong_arguments_are_refused(change: dict[str, float], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        MaskedDiffusion(V, shape=SHAPE, parts=PARTS, **change)  # pyright: ignore[reportArgumentType]


def test_wrong_windows_are_refused() -> None:
    model = tiny()
    with pytest.raises(ValueError, match="from 2 to 7"):
        model.elbo(torch.zeros(1, 8, dtype=torch.int64))
    with pytest.raises(ValueError, match="between 0 and 5"):
        model.elbo(torch.tensor([[BOS, 6]]))
    with pytest.raises(ValueError, match="nonsense"):
        model.elbo(torch.tensor([[BOS, 1]]), given={"nonsense": torch.tensor(1)})
