import torch

from ancestral.evaluation.measures.overlap import overlaps


def test_overlaps_are_those_of_sets_of_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    found, truth = torch.randint(3, (2, 6, 7), generator=generator)
    iou, dice = overlaps(found, truth, classes=4)
    for k in range(3):
        mine, own = ({*(x.flatten() == k).nonzero().flatten().tolist()} for x in (found, truth))
        assert iou[k] == len(mine & own) / len(mine | own)
        assert dice[k] == 2 * len(mine & own) / (len(mine) + len(own))
    assert iou[3].isnan()
    assert dice[3].isnan()


def test_what_is_missed_and_what_is_not_there_overlap_nothing() -> None:
    iou, dice = overlaps(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 2]), classes=3)
    assert iou.tolist() == dice.tolist() == [1, 0, 0]
