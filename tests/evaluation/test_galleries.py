import base64
import io

import numpy as np
import torch
from PIL import Image

from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import Image as Grey
from ancestral.data.fields import labelled
from ancestral.evaluation import Evaluation, bench_of
from ancestral.evaluation.galleries import columns_for, galleries_of, nearest_of
from ancestral.evaluation.report import ModelEntry, Section


def images_of(labels: torch.Tensor, side: int = 8) -> torch.Tensor:
    """Images whose every pixel is their label."""
    return labels.to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, side, side).contiguous()


def section_of(*entries: ModelEntry, labels: int = 3, side: int = 8) -> Section:
    y = torch.arange(60) % labels
    part = Examples(images_of(y, side), {"label": y})
    data = Dataset(
        name="d",
        source="d",
        fields=labelled(Grey.of(part.x, levels=17), [f"class {i}" for i in range(labels)]),
        train=part,
        validation=part,
        test=part,
    )
    return Section(data=data, entries=entries)


def pixels(uri: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) as image:
        return np.asarray(image.convert("RGBA"))


def test_rows_hold_the_images_of_their_label() -> None:
    y = torch.arange(60).flip(0) % 3
    entry = ModelEntry(name="m", evaluation=Evaluation(samples=images_of(y), given={"label": y}))
    real, made = galleries_of(section_of(entry))
    assert (real.model, made.model) == ("", "m")
    for gallery in (real, made):
        # Three labels share six rows; only the first of each pair is named.
        assert [s.label for s in gallery.strips] == ["class 0", "", "class 1", "", "class 2", ""]
        for i, strip in enumerate(gallery.strips):
            shown = pixels(strip.uri)
            assert set(shown[..., 0][shown[..., 3] == 255]) == {round((i // 2) * 255 / 16)}


def test_samples_without_labels_come_in_plain_rows() -> None:
    entry = ModelEntry(name="m", evaluation=Evaluation(means=images_of(torch.arange(50) % 3)))
    _, made = galleries_of(section_of(entry, labels=4))
    assert [strip.images for strip in made.strips] == [10, 10, 10, 10]
    assert made.caption == "means of p(x | z), not draws"


def test_models_without_samples_are_passed_over() -> None:
    section = section_of(ModelEntry(name="a", error="failed"))
    assert [gallery.model for gallery in galleries_of(section)] == [""]
    assert nearest_of(section) == []


def test_nearest_stand_under_their_samples() -> None:
    samples, nearest = images_of(torch.tensor([1, 2, 3])), images_of(torch.tensor([4, 5]))
    entry = ModelEntry(name="m", evaluation=Evaluation(samples=samples, nearest=nearest))
    (gallery,) = nearest_of(section_of(entry))
    assert [strip.label for strip in gallery.strips] == ["sample", "nearest"]
    assert [strip.images for strip in gallery.strips] == [2, 2]


def test_large_images_stand_in_shorter_rows() -> None:
    assert [columns_for(section_of(side=side).data) for side in (8, 64, 128)] == [10, 8, 6]


def test_nearest_rows_of_vectors() -> None:
    part = Examples(torch.zeros(4, 8))
    data = Dataset(
        name="d",
        source="d",
        fields={"x": Vector.of(part.x)},
        train=part,
        validation=part,
        test=part,
    )
    x = torch.arange(80.0).reshape(10, 8)
    entry = ModelEntry(name="m", evaluation=Evaluation(samples=x, nearest=x + 0.5))
    section = Section(data=data, entries=[entry])
    view = bench_of(data).view(section, {"m": "red"})
    ((name, pairs),) = view["nearest_rows"]
    assert name == "m"
    assert pairs[1] == ([f"{i}" for i in range(8, 14)], [f"{i}.5" for i in range(8, 14)])
    assert view["galleries"] == view["nearest"] == []
    assert bench_of(section_of().data).view(section_of(), {})["nearest_rows"] == []
