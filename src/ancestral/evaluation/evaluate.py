"""Evaluate one model on held-out data: every figure that it can give, and None for the rest."""

import time
from dataclasses import replace

import torch

from ancestral.data.dataset import Dataset
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.bench import Bench, Progress
from ancestral.evaluation.kinds import bench_of
from ancestral.evaluation.result import Evaluation
from ancestral.evaluation.setting import Setting
from ancestral.evaluation.verdict import said_of
from ancestral.networks.units import InDataUnits
from ancestral.telling import watched


def evaluate(
    model: InDataUnits,
    data: Dataset,
    *,
    setting: Setting | None = None,
    bench: Bench | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model against the test split, which training never saw.

    Every figure of sample quality carries its floor: real examples in the place of the generated
    ones, as many. A step at which the model breaks (samples that are not finite, a density that
    fails) costs its figures and leaves a note; the rest is still measured. What is far from the
    floor is said in a note, too. The same seed gives
    the same figures, whether the bench is shared or not.

    Labels that have a law of their own in the model are summed out, and drawn by it. Fields that
    the model cannot do without (:class:`ancestral.capabilities.NeedsGiven`: the image of
    image-to-image) are given: likelihoods are those of p(x | given), as their unit says
    (``nats given the image``), and samples are drawn for the test examples' own.

    Args:
        model: In the units of ``data``.
        data: Whose test split judges.
        setting: Sizes; the defaults if None.
        bench: Of :func:`bench_of` these data, in place of ``setting``, for several models.
        progress: Told what is being done.

    Raises:
        ValueError: If the bench is of other data.
    """
    began = time.perf_counter()
    bench = bench or bench_of(data, setting)
    if bench.data is not data:
        raise ValueError(f"bench must be of {data.name}, got one of {bench.data.name}")
    attempts, training = Attempts(), model.network.training
    last: tuple[str, float] = ("", 0.0)

    def tell(title: str, share: float) -> None:
        nonlocal last
        last = title, share
        if progress is not None:
            progress(title, share)

    model.network.eval()
    try:
        with torch.no_grad(), watched(lambda _: tell(*last)):
            found = bench.measure(model, attempts, tell)
    finally:
        model.network.train(training)
    seconds = time.perf_counter() - began
    notes = (*attempts.notes, *said_of(found.figures))
    return replace(found, notes=notes, seconds=seconds)
