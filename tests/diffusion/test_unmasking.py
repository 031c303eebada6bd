import pytest
import torch
from tests.diffusion.test_masked import BOS, EOS, Law, tiny
from torch import Generator, Tensor

from ancestral.diffusion.unmasking import Unmasking, infill, write


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def blanked(tokens: list[int], *places: int) -> Tensor:
    found = torch.tensor(tokens)
    found[list(places)] = tiny().mask
    return found


@pytest.mark.parametrize("block", [1, 2, 3, 6])
def test_infilling_keeps_what_is_given(block: int) -> None:
    tokens = blanked([BOS, 0, 1, 1, 0, 0, 1], 2, 3, 5)
    given = tokens != tiny().mask
    found = infill(tiny(block=block), tokens, 50, Unmasking(), generator=seeded())
    assert torch.equal(found[:, given], tokens[given].expand(50, -1))
    assert bool((found < 6).all())
    assert len(found[:, ~given].unique(dim=0)) > 1


@torch.no_grad()
def test_a_blank_is_drawn_from_its_law_given_both_sides() -> None:
    model, n = tiny(), 4_000
    found = infill(model, blanked([BOS, 0, 1, 1], 2), n, Unmasking(), generator=seeded())
    p = Law(model).conditional((0, model.mask, 1))[1].exp()
    share = found[:, 2].bincount(minlength=6) / n
    # Five standard errors of the largest share.
    torch.testing.assert_close(share.double(), p, atol=5 * 0.5 / n**0.5, rtol=0)


def test_what_is_barred_is_not_drawn() -> None:
    tokens = blanked([BOS, 0, 1, 1, 0], 2, 4)
    barred = torch.zeros(5, 6, dtype=torch.bool)
    barred[2, :5] = True
    barred[4, [0, 1, 2]] = True
    found = infill(tiny(), tokens, 60, Unmasking(), barred=barred, generator=seeded())
    assert found[:, 2].unique().tolist() == [5]
    assert found[:, 4].unique().tolist() == [3, 4, 5]


def test_nothing_blank_is_nothing_drawn() -> None:
    tokens = torch.tensor([BOS, 0, 1])
    assert torch.equal(infill(tiny(), tokens, 2, Unmasking()), tokens.expand(2, -1))


@pytest.mark.parametrize("sampler", ["ancestral", "confidence"])
@pytest.mark.parametrize(("steps", "passes"), [(1, 2), (2, 4), (None, 6)])
def test_a_block_takes_as_many_passes_as_steps(
    sampler: str, steps: int | None, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, calls, read = tiny(), [], tiny().read

    def counted(*args: object, **options: object) -> Tensor:
        calls.append(options.get("keep", True))
        return type(model).read(model, *args, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(model, "read", counted)
    how = Unmasking(steps=steps, sampler=sampler)  # pyright: ignore[reportArgumentType]
    infill(model, blanked([BOS, 0, 0, 0, 0, 0, 0], *range(1, 7)), 3, how, generator=seeded())
    assert calls.count(False) == passes
    assert read is not None


@torch.no_grad()
def test_the_surest_token_comes_first() -> None:
    model = tiny()

    def greedy(logits: Tensor) -> Tensor:
        best = logits.argmax(-1, keepdim=True)
        return torch.full_like(logits, -torch.inf).scatter(1, best, 0.0)

    how = Unmasking(sampler="confidence", rules=greedy)
    found = infill(model, blanked([BOS, 0, 0, 0], 1, 2, 3), 1, how, generator=seeded())
    law, z = Law(model), [model.mask] * 3
    for _ in range(3):
        logits = law.conditional(tuple(z))
        hidden = torch.tensor([token != model.mask for token in z])
        place = int(logits.amax(1).masked_fill(hidden, -torch.inf).argmax())
        z[place] = int(logits[place].argmax())
    assert found[0, 1:].tolist() == z


def test_a_text_goes_on_from_its_prompt_and_ends_once() -> None:
    model = tiny(block=2)
    prompt = torch.tensor([BOS, 0, 1, 1])
    found = write(model, prompt, 200, Unmasking(), length=7, generator=seeded())
    assert torch.equal(found[:, :4], prompt.expand(200, -1))
    ends = (found == EOS) | (found == 5)
    after = ends.cumsum(1) - ends.long() > 0
    assert bool((found[after] == 5).all())
    assert bool(after.any())


def test_a_seed_decides_the_text() -> None:
    model, prompt = tiny(block=2), torch.tensor([BOS])
    found = [
        write(model, prompt, 20, Unmasking(), length=7, generator=seeded(seed))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        Unmasking(steps=0)
    with pytest.raises(ValueError, match="heun"):
        Unmasking(sampler="heun")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="at most 7 tokens"):
        infill(tiny(), torch.zeros(8, dtype=torch.int64), 1, Unmasking())
    with pytest.raises(ValueError, match="a prompt of 7 tokens"):
        write(tiny(), torch.zeros(7, dtype=torch.int64), 1, Unmasking(), length=7)
