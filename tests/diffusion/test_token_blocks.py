import torch
from torch import Generator

from ancestral.capabilities import SpecialTokens
from ancestral.diffusion.token_blocks import TokenBlocks

SPECIAL = SpecialTokens.of(9)
X = torch.tensor([[0, 1, 2, 3, 6, 5, 4, 4, 4], [5, 1, 6, 8, 8, 8, 8, 8, 8]])


def blocks(x: torch.Tensor = X, block: int = 2) -> TokenBlocks:
    return TokenBlocks.of(x, block=block, special=SPECIAL)


def test_documents_begin_at_bos_and_what_is_given_is_block_0() -> None:
    found = blocks()
    assert found.start[0].tolist() == [0] * 5 + [5] * 4
    assert found.end[0].tolist() == [4] * 5 + [8] * 4
    assert found.number[0].tolist() == [0, 1, 1, 2, 2, 0, 1, 1, 2]
    assert found.first[0].tolist() == [0, 1, 1, 3, 3, 5, 6, 6, 8]
    assert found.size[0].tolist() == [1, 2, 2, 2, 2, 1, 2, 2, 1]


def test_pad_is_alone_and_never_predicted() -> None:
    found = blocks()
    assert found.number[1].tolist() == [0, 1, 1, 0, 0, 0, 0, 0, 0]
    assert found.start[1, 3:].tolist() == [3, 4, 5, 6, 7, 8]


def test_blocks_of_one_token_are_the_tokens() -> None:
    assert blocks(block=1).number[0].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]


def test_as_many_tokens_are_masked_as_weigh_like_their_block() -> None:
    x = torch.randint(4, (40, 17), generator=Generator().manual_seed(0))
    found, generator = blocks(x, block=4), Generator().manual_seed(1)
    free = found.number > 0
    for _ in range(5):
        masked, weight = found.masked(free, generator)
        assert not masked[~free].any()
        count = found.sums(masked)
        # In every block c tokens weigh 4 / c each: 4 in all.
        torch.testing.assert_close(weight[free], 4 / count[free].double())
        # 160 blocks, 160 strata: each c exactly 40 times.
        heads = free & (found.first == torch.arange(17))
        assert count[heads].bincount(minlength=5).tolist() == [0, 40, 40, 40, 40]


def test_every_set_of_masked_tokens_comes_equally_often() -> None:
    x = torch.zeros(12_000, 4, dtype=torch.int64)
    found = blocks(x, block=3)
    masked, _ = found.masked(found.number > 0, Generator().manual_seed(0))
    sets = (masked[:, 1:] * torch.tensor([1, 2, 4])).sum(1).bincount(minlength=8) / len(x)
    expected = torch.tensor([0, 1, 1, 1, 1, 1, 1, 3]) / 9
    # Standard error below sqrt(2/9 / 12000) = 0.0043.
    torch.testing.assert_close(sets, expected, atol=0.02, rtol=0)


def test_what_is_known_stays_and_the_rest_weighs_for_itself() -> None:
    x = torch.zeros(8, 5, dtype=torch.int64)
    found = blocks(x, block=4)
    free = (found.number > 0) & (torch.arange(5) >= 3)
    masked, weight = found.masked(free, Generator().manual_seed(0))
    assert not masked[:, :3].any()
    torch.testing.assert_close((weight * masked).sum(1), torch.full((8,), 2.0).double())


def test_holes_are_runs_of_blocks_that_leave_the_given_alone() -> None:
    x = torch.zeros(200, 13, dtype=torch.int64)
    x[:, 6] = SPECIAL.bos
    found = blocks(x, block=2)
    holes = found.holes(1.0, Generator().manual_seed(0))
    assert not holes[found.number == 0].any()
    lengths = []
    for row in holes:
        for part, numbers in ((row[:6], found.number[0, :6]), (row[6:], found.number[0, 6:])):
            inside = numbers[part].unique()
            assert inside.tolist() == [*range(int(inside[0]), int(inside[-1]) + 1)]
            assert torch.equal(part, torch.isin(numbers, inside))
            lengths.append(len(inside))
    assert {*lengths} == {1, 2, 3}


def test_a_share_of_the_batches_has_holes() -> None:
    found, generator = blocks(), Generator().manual_seed(0)
    with_holes = [bool(found.holes(0.5, generator).any()) for _ in range(400)]
    assert abs(sum(with_holes) / 400 - 0.5) < 5 * 0.5 / 20


def test_a_copy_sees_its_own_block_and_the_clean_ones_before() -> None:
    x = torch.tensor([[5, 0, 1, 2]])
    found = blocks(x)
    seen = found.seen(found.number)[0]
    clean, masked = seen[:4], seen[4:]
    assert clean[:, :4].int().tolist() == [[1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0], [1] * 4]
    assert not clean[:, 4:].any()
    assert masked[:, :4].int().tolist() == [[0] * 4, [1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]
    assert masked[:, 4:].int().tolist() == [[1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1]]


def test_neighbours_are_seen_as_far_as_they_are_known() -> None:
    x = torch.tensor([[5, 0, 1, 2, 5, 3]])
    z = torch.tensor([[5, 9, 1, 9, 5, 9]])
    found = blocks(x)
    assert found.beside(x, z, found.number, 1, 9).tolist() == [[9, 5, 9, 1, 9, 5]]
    assert found.beside(x, z, found.number, -1, 9).tolist() == [[9, 1, 9, 9, 9, 9]]
