from collections.abc import Callable

import pytest
from torch import nn

from ancestral.adversarial import ImageCritic, ImageGenerator, dcgan_rules

SHAPE = (3, 64, 64)


def generator() -> ImageGenerator:
    return ImageGenerator(16, SHAPE, width=8, norm="batch")


def critic() -> ImageCritic:
    return ImageCritic(SHAPE, width=8, norm="batch")


def kept(first: nn.Module, second: nn.Module) -> list[bool]:
    return [rule.kept for rule in dcgan_rules(first, second)]


def test_the_books_networks_keep_all_five() -> None:
    assert kept(generator(), critic()) == [True] * 5


def test_networks_without_batch_norm_keep_the_other_four() -> None:
    without = ImageGenerator(16, SHAPE, width=8), ImageCritic(SHAPE, width=8)
    assert kept(*without) == [False, True, True, True, True]


def mixed(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("broken", "build"),
    [
        (0, lambda: (generator(), mixed(nn.BatchNorm2d(3), critic()))),
        (0, lambda: (mixed(generator(), nn.BatchNorm2d(3)), critic())),
        (1, lambda: (generator(), mixed(nn.MaxPool2d(2), critic()))),
        (2, lambda: (generator(), mixed(critic(), nn.Linear(1, 1)))),
        (3, lambda: (mixed(generator(), nn.ReLU()), critic())),
        (4, lambda: (generator(), mixed(critic(), nn.ReLU()))),
    ],
)
def test_what_breaks_a_rule_is_found(
    broken: int, build: Callable[[], tuple[nn.Module, nn.Module]]
) -> None:
    assert not kept(*build())[broken]
