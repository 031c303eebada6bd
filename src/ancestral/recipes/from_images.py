"""What a run makes of images, masks or other images: each under the name of its image."""

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
from ancestral.data.mask_files import image_files, read_images, write_images, write_masks
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
    if not (isinstance(mine := run.record.data.field, Image) and mine.values):
        raise CapabilityError(f"{run.record.model} in {run.folder} finds no masks of images")
    for name, mask in translate_images(run, source, settings=settings, seed=seed, device=device):
        yield name, mask[0].long()


def translate_images(
    run: Run | str | Path,
    source: str | Path,
    *,
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Iterator[tuple[str, Tensor]]:
    """Yield the name of each image of a file or a folder, and what is made of it, [C, H, W].

    Args:
        run: That models images given images, or its folder.
        source: One image, or a folder of them.
        settings: How they are made, in place of the run's own: ``direction`` of ``cyclegan``.
        seed: Of the draws.
        device: Where to compute.

    Raises:
        CapabilityError: If the run models something else.
        DataError: If an image cannot be read.
    """
    run = Run.open(run)
    files = image_files(Path(source).expanduser())
    for name, x in _made(run, files, settings or {}, seed=seed, device=device):
        yield str(name), x


def takes_images(run: Run) -> bool:
    """Return whether a run models images, or masks, given images."""
    return isinstance(run.record.data.field, Image) and IMAGE in run.recipe.needs


def draw_from_images(run: Run, asked: Asked) -> Answer:
    """Return what a run makes of images, written as the images of its data are."""
    given = asked.given
    if not isinstance(given, Mapping):
        given = parse_pairs(given, option="--given", names=[IMAGE])
    if IMAGE not in given:
        raise ConfigError(f"{run.record.model} is given images: --given image=FILE or FOLDER")
    if asked.n is not None or len(given) > 1:
        return draw_examples(run, asked)
    files = image_files(Path(str(given[IMAGE])).expanduser())
    mine = run.record.data.field
    if not isinstance(mine, Image):
        raise CapabilityError(f"{run.folder} models {run.record.data.kind}")
    found = partial(_made, run, files, asked.settings, seed=asked.seed, device=asked.device)
    names, what = [name for _, name in files], "masks" if mine.values else "images"

    def write(path: Path) -> Path:
        if not mine.values:
            return write_images(found(), names, path)
        return write_masks(((name, x[0].long()) for name, x in found()), names, path, mine)

    def to_json() -> dict[str, Any]:
        one = (lambda x: x[0]) if mine.values else (lambda x: x)
        return {what: {str(name): one(x).tolist() for name, x in found()}}

    return Answer(
        write=write,
        to_json=to_json,
        show=lambda: iter(()),
        facts={"n": len(files)} | ({"classes": value_names(mine.values)} if mine.values else {}),
        place=free_name(run.folder / what),
    )


def _made(
    run: Run,
    files: list[tuple[Path, Path]],
    settings: Mapping[str, object],
    *,
    seed: int,
    device: str,
) -> Iterator[tuple[Path, Tensor]]:
    """Yield the name of each image and what is made of it, one after the other."""
    if not takes_images(run):
        raise CapabilityError(f"{run.record.model} in {run.folder} makes nothing of images")
    seen = run.record.data.fields[IMAGE]
    if not isinstance(seen, Image):
        raise CapabilityError(f"{run.folder} takes no images")
    model = run.model(device=device, sampling=settings)
    generator = Generator(device).manual_seed(seed_of(seed, "sample"))
    images = read_images([path for path, _ in files], seen, who=f"{run.folder} takes")
    for (_, name), image in zip(files, images, strict=True):
        with torch.no_grad():
            given = {IMAGE: image[None].to(device)}
            made = model.sample(1, given=given, generator=generator)
        yield name, made[0].cpu()
