"""Images of which a part is known: filled in, continued, coloured or enlarged by a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Given
from ancestral.data.answers import Answer, examples_answer
from ancestral.data.dataset import Examples
from ancestral.data.fields import Image
from ancestral.data.sources import read
from ancestral.diffusion.denoising import Denoising
from ancestral.diffusion.editing import Impose, known_blocks, known_grey, known_pixels
from ancestral.errors import CapabilityError, ConfigError
from ancestral.networks.units import InDataUnits
from ancestral.recipes.runs import Run
from ancestral.recipes.sampling import NUMBERS_AT_ONCE, Asked, Value, draw_examples, given_for
from ancestral.settings import arguments
from ancestral.training.order import seed_of

_ARRAYS = (".npy", ".npz")
_BRIGHT = 128


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """What is known of images, in the user's units.

    Args:
        x: The images, uint8 [N, c, h, w]: of the run's own shape; of one channel where the run has
            three; or smaller by a whole factor.
        size: Height H and width W of the run's images.
        hidden: Where they are not known, bool [H, W]; None: nowhere.
    """

    x: Tensor
    size: tuple[int, int]
    hidden: Tensor | None = None

    def impose(self, model: InDataUnits, at: slice) -> Impose:
        """Return how the images at some places are imposed, in the model's units."""
        x = self.x if len(self.x) == 1 else self.x[at]
        known = model.transform(x)
        if self.hidden is not None:
            return known_pixels(known, ~self.hidden.to(known.device))
        if x.shape[-2:] != self.size:
            height, width = self.size
            return known_blocks(known, (height // x.shape[-2], width // x.shape[-1]))
        return known_grey(known)

    def kept(self, x: Tensor, at: slice) -> Tensor:
        """Return draws, uint8 [B, C, H, W], with the known pixels as they are."""
        if self.hidden is None:
            return x
        return torch.where(self.hidden, x, self.x if len(self.x) == 1 else self.x[at])


def edit_images(
    run: Run | str | Path,
    source: str,
    *,
    mask: str | None = None,
    n: int | None = None,
    given: Mapping[str, Value] | Sequence[str] = (),
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
) -> Tensor:
    """Return images of a run that agree with others, uint8 [n, C, H, W].

    Args:
        run: Of a diffusion or score model of images, or its folder.
        source: A file or a folder of images, or an array. Smaller ones are enlarged, grey ones
            coloured; of others ``mask`` says what is to be drawn anew.
        mask: An image that is bright where there is to be drawn; all else keeps every bit.
        n: Number of draws; None: one for each image, 16 of one alone.
        given: As of :func:`ancestral.sample_run`.
        settings: How draws are made, in place of the run's own.
        seed: Of the draws.

    Raises:
        CapabilityError: If the run is of another model, or of other data.
        ConfigError: If nothing is left to be drawn, or a setting is none.
        DataError: If a file cannot be read.
    """
    asked = Asked(n=n, given=given, settings=settings or {}, edit=source, mask=mask, seed=seed)
    return _edited(Run.open(run), asked)


def draw_images(run: Run, asked: Asked) -> Answer:
    """Return images drawn from a run, all of them or the part that is not known."""
    if asked.edit is None and asked.mask is None:
        return draw_examples(run, asked)
    x = _edited(run, asked)
    facts = {"n": len(x), "edit": asked.edit}
    return examples_answer(x, run.record.data.field, facts, beside=run.folder / "samples")


def _edited(run: Run, asked: Asked) -> Tensor:
    model = run.model(device=asked.device)
    edit = read_edit(run, model, asked.edit, asked.mask)
    sampling = run.recipe.sampled_with(run.record.sampling, asked.settings)
    n = asked.n or (len(edit.x) if len(edit.x) > 1 else 16)
    if len(edit.x) not in (1, n):
        raise ConfigError(f"--edit must hold one image, or {n}, one a draw, got {len(edit.x)}")
    fixed = given_for(run, model, asked.given, device=asked.device)
    generator = Generator(asked.device).manual_seed(seed_of(asked.seed, "sample"))
    batch, parts = max(1, NUMBERS_AT_ONCE // run.record.data.features), list[Tensor]()
    for start in range(0, n, batch):
        at = slice(start, min(start + batch, n))
        parts.append(_draw(model, edit, sampling, at=at, given=fixed, generator=generator))
    return torch.cat(parts)


def read_edit(run: Run, model: InDataUnits, source: str | None, mask: str | None) -> Edit:
    """Read images of which a part is known, and the mask of what is not.

    Raises:
        CapabilityError: If the run is of another model, or of other data.
        ConfigError: If nothing is left to be drawn.
        DataError: If a file cannot be read.
    """
    if source is None:
        raise ConfigError(f"--mask needs --edit IMAGE, whose part it hides, got {mask}")
    mine = run.record.data.field
    if not isinstance(mine, Image) or not isinstance(model.network, Denoising):
        raise CapabilityError(
            f"--edit is of diffusion and score models of images, {run.folder} is a run of "
            f"{run.record.model} on {run.record.data.kind}"
        )
    x, size, hidden = _levels(run, source, mine), (mine.height, mine.width), None
    if mask is not None:
        hidden = _own_size(run, mask, mine)[0].x[0].float().mean(dim=0) >= _BRIGHT
        if not bool(hidden.any()):
            raise ConfigError(f"--mask must be bright where there is to be drawn, {mask} is dark")
    if hidden is None and x.shape[1:] == mine.event_shape:
        raise ConfigError(
            f"--edit {source}: all of it is known; give --mask, or an image that is smaller or grey"
        )
    if hidden is not None and x.shape[1:] != mine.event_shape:
        raise ConfigError(
            f"--mask needs an image of {mine.channels} x {mine.height} x {mine.width}, "
            f"got {' x '.join(map(str, x.shape[1:]))}"
        )
    return Edit(x, size, hidden)


def _levels(run: Run, source: str, mine: Image) -> Tensor:
    """Return images in the run's grey levels, of their own size where that goes into the run's."""
    loading = replace(run.record.data.loading, size=None, field=None, label=None)
    examples, contents = read(source, loading)
    field = contents.field
    if not isinstance(field, Image):
        raise ConfigError(f"--edit must be images, {source} holds {field.kind}")
    whole = mine.height % field.height == 0 and mine.width % field.width == 0
    if not whole:
        examples, contents = _own_size(run, source, mine)
        field = contents.field
    if field.channels not in (1, mine.channels):
        raise ConfigError(
            f"--edit: {source} has {field.channels} channels, {run.folder} models {mine.channels}"
        )
    x = examples.x
    if field.levels != mine.levels and not source.lower().endswith(_ARRAYS):
        x = (x.float() * ((mine.levels - 1) / (field.levels - 1))).round().to(torch.uint8)
    if int(x.max()) >= mine.levels:
        raise ConfigError(f"--edit: levels must be below {mine.levels}, got {int(x.max())}")
    return x


def _own_size(run: Run, source: str, mine: Image) -> tuple[Examples, Any]:
    loading = replace(run.record.data.loading, size=mine.width, field=None, label=None)
    return read(source, loading)


def _draw(
    model: InDataUnits,
    edit: Edit,
    sampling: object,
    *,
    at: slice,
    given: Given | None,
    generator: Generator,
) -> Tensor:
    """Return draws [n, C, H, W], one for each place of ``at``, that agree with what is known."""
    walk = cast(Denoising, model.network).walk
    how, impose = arguments(sampling), edit.impose(model, at)
    *_, y = walk(at.stop - at.start, **how, given=given or None, generator=generator, impose=impose)
    return edit.kept(model.transform.inverse(y, generator).cpu(), at)
