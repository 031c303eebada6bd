"""Masks of images by a run: each at its own size and under the name of its image."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from ancestral.data.answers import Answer
from ancestral.data.fields import Image
from ancestral.data.files import free_name
from ancestral.data.image_pairs import value_names
from ancestral.data.mask_files import image_files, read_images, write_masks
from ancestral.errors import CapabilityError, ConfigError
from ancestral.recipes.runs import Run
from ancestral.recipes.sampling import Asked, draw_examples
from ancestral.settings import parse_pairs
from ancestral.training.order import seed_of

IMAGE = "image"


def segment_images(
    run: Run | str | Path,
    source: str | Path,
    *,
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Iterator[tuple[str, Tensor]]:
    """Yield the name of each image of a file or a folder, and its mask, int64 [H, W].

    The masks are of classes, by the order of the values of the masks of the run's data.

    Args:
        run: That models masks given images, or its folder.
        source: One image, or a folder of them.
        settings: How masks are drawn, in place of the run's own: ``temperature``.
        seed: Of the draws.
        device: Where to compute.

    Raises:
        CapabilityError: If the run models something else.
        DataError: If an image cannot be read.
    """
    run = Run.open(run)
    files = image_files(Path(source).expanduser())
    for name, mask in _masks(run, files, settings or {}, seed=seed, device=device):
        yield str(name), mask


def makes_masks(run: Run) -> bool:
    """Return whether a run models masks given images."""
    field = run.record.data.field
    return isinstance(field, Image) and bool(field.values) and IMAGE in run.recipe.needs


def draw_masks(run: Run, asked: Asked) -> Answer:
    """Return masks of images by a run, written as the masks of its data are."""
    given = asked.given
    if not isinstance(given, Mapping):
        given = parse_pairs(given, option="--given", names=[IMAGE])
    if IMAGE not in given:
        raise ConfigError(
            f"{run.record.model} finds the masks of images: --given image=FILE or FOLDER"
        )
    if asked.n is not None or len(given) > 1:
        return draw_examples(run, asked)
    files = image_files(Path(str(given[IMAGE])).expanduser())
    mine = run.record.data.field
    if not isinstance(mine, Image):
        raise CapabilityError(f"{run.folder} models {run.record.data.kind}")
    found = partial(_masks, run, files, asked.settings, seed=asked.seed, device=asked.device)
    names = [name for _, name in files]

    def to_json() -> dict[str, Any]:
        return {"masks": {str(name): mask.tolist() for name, mask in found()}}

    return Answer(
        write=lambda path: write_masks(found(), names, path, mine),
        to_json=to_json,
        show=lambda: iter(()),
        facts={"n": len(files), "classes": value_names(mine.values)},
        place=free_name(run.folder / "masks"),
    )


def _masks(
    run: Run,
    files: list[tuple[Path, Path]],
    settings: Mapping[str, object],
    *,
    seed: int,
    device: str,
) -> Iterator[tuple[Path, Tensor]]:
    """Yield the name and the mask of each image, one after the other."""
    if not makes_masks(run):
        raise CapabilityError(f"{run.record.model} in {run.folder} finds no masks of images")
    seen = run.record.data.fields[IMAGE]
    if not isinstance(seen, Image):
        raise CapabilityError(f"{run.folder} takes no images")
    model = run.model(device=device, sampling=settings)
    generator = Generator(device).manual_seed(seed_of(seed, "sample"))
    images = read_images([path for path, _ in files], seen, who=f"{run.folder} takes")
    for (_, name), image in zip(files, images, strict=True):
        with torch.no_grad():
            given = {IMAGE: image[None].to(device)}
            mask = model.sample(1, given=given, generator=generator)
        yield name, mask[0, 0].cpu().long()
