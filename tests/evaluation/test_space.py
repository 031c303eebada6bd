from dataclasses import replace
from pathlib import Path

import torch

from ancestral.data import Loading, load
from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import Image
from ancestral.evaluation import bench_of


def test_columns_are_standardised_by_the_training_split() -> None:
    x = torch.randn(500, 3, dtype=torch.float64) * torch.tensor([1.0, 1e3, 0.0]) + 7
    rest = Examples(x[:10])
    data = Dataset(
        name="a",
        source="a",
        fields={"x": Vector.of(x)},
        train=Examples(x),
        validation=rest,
        test=rest,
    )
    rows = bench_of(data).space(x)
    torch.testing.assert_close(rows[:, :2].std(dim=0, correction=0), torch.ones(2).double())
    torch.testing.assert_close(rows.mean(dim=0), torch.zeros(3).double())
    toy = replace(data, fresh=lambda n, _seed: x[:n])
    assert torch.equal(bench_of(toy).space(x), x)


def test_images_lie_between_zero_and_one_and_are_averaged_down() -> None:
    x = torch.randint(0, 17, (5, 3, 32, 32), dtype=torch.uint8)
    split = Examples(x)
    data = Dataset(
        name="a",
        source="a",
        fields={"x": Image.of(x, levels=17)},
        train=split,
        validation=split,
        test=split,
    )
    space = bench_of(data).space
    rows = space(x)
    assert rows.shape == (5, 3072)
    assert (rows.min(), rows.max()) == (0.0, 1.0)
    coarse = space.coarse(rows)
    assert coarse.shape == (5, 768)
    torch.testing.assert_close(coarse.mean(dim=1), rows.mean(dim=1))


def test_the_squared_distance_of_states_is_the_number_of_cells_that_differ(
    states_csv: Path,
) -> None:
    data = load(str(states_csv), Loading(discrete=True))
    space = bench_of(data).space
    rows = space(data.train.x[:40])
    assert rows.shape == (40, 2 + 2 + 3)
    found = (rows[:, None] - rows).square().sum(-1)
    differ = (data.train.x[:40, None] != data.train.x[:40]).sum(-1)
    torch.testing.assert_close(found, differ.double())
