"""From a run to what is served."""

import time
from pathlib import Path
from random import Random

from ancestral.autoregressive.writing import Writer
from ancestral.recipes import Run
from ancestral.recipes.generating import open_writer
from ancestral.serving.engine import Engine
from ancestral.serving.limits import Limits
from ancestral.serving.served import Served
from ancestral.serving.text import Names


def open_run(
    run: Run | str | Path,
    limits: Limits,
    *,
    name: str | None = None,
    device: str = "cpu",
    int8: bool = False,
    seed: int = 0,
) -> Served:
    """Open a run and start its engine.

    Args:
        run: A run on text, or its folder.
        limits: What is allowed.
        name: By which clients ask for it; that of the folder if None.
        device: Where to compute.
        int8: Compute with weights of eight bits.
        seed: Of the seeds of requests that bring none.

    Raises:
        RunError: If it is no run, or not on text.
        CapabilityError: If the model has no version in eight bits.
    """
    run = Run.open(run)
    writer = open_writer(run, device=device, int8=int8)
    return serve_writer(writer, limits, name=name or run.folder.resolve().name, seed=seed)


def serve_writer(writer: Writer, limits: Limits, *, name: str, seed: int = 0) -> Served:
    """Start an engine for a run that is open; see :func:`open_run`."""
    window = writer.model.window
    # Without a window there is room for the longest prompt and all that may follow it.
    room = limits.prompt(None) + 1 + limits.max_tokens if window is None else None
    return Served(
        name=name,
        writer=writer,
        engine=Engine(writer.model, slots=limits.slots, queue=limits.queue, room=room),
        limits=limits,
        names=Names(writer.tokenizer),
        chance=Random(seed),
        created=int(time.time()),
    )
