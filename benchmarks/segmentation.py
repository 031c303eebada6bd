"""Nuclei found by ``segment`` in a quarter of the time of the book's U-Net, by processor time.

The book's is trained as its listing is, on whole images of 256x256, in batches of 4 in place of 32:
one of its own steps takes minutes. ``SECONDS`` is its time; more of it is asked for by the variable
``ANCESTRAL_SEGMENT_SECONDS``. Held-out images are the first 40 of a third.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ancestral.data.catalogue import data_root
from ancestral.data.dataset import Dataset
from ancestral.evaluation.segmented import Overlaps, masks_of
from ancestral.recipes import plan, start
from benchmarks import book_unet
from benchmarks.harness import Result

SECONDS = float(os.environ.get("ANCESTRAL_SEGMENT_SECONDS", "400"))
HELD_OUT, BATCH = 40, 4


def run() -> Iterator[Result]:
    """Yield the comparison; nothing where the data are not on this machine."""
    source = data_root() / "nuclei" / "nuclei_256_gray.npz"
    if not source.is_file():
        print(f"segmentation: skipped, there is no {source}", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        chosen = plan(
            "segment", str(_write(source, Path(folder))), settings={"fractions": "0.1,0.33"}
        )
        fitting, began = start(chosen, Path(folder) / "run"), time.process_time()
        for _ in fitting:
            if time.process_time() - began > SECONDS / 4:
                fitting.stop()
        mine = time.process_time() - began
        test = chosen.data.test[:HELD_OUT]
        ours = _iou(masks_of(fitting.kept, test, seed=0), test.x)
        theirs, spent = _book(chosen.data)
    yield Result(
        name="nuclei, foreground IoU of held-out images",
        peer="the book's U-Net in four times the time",
        ours_seconds=mine,
        peer_seconds=spent,
        ratio=ours / max(theirs, 1e-6),
        rounds=[],
        bar=1,
        figures={"ours": ours, "peer": theirs},
    )


def _write(source: Path, folder: Path) -> Path:
    """Write images and masks by type: bright background, or dark with large or small nuclei."""
    with np.load(source) as archive:
        images, instances = archive["images"], archive["instances"]
    for number, (image, nuclei) in enumerate(zip(images, instances, strict=True)):
        large = np.median(np.unique(nuclei[nuclei > 0], return_counts=True)[1]) > 250
        kind = "bright" if np.median(image) > 8 else "large" if large else "small"
        for name, pixels in (("images", image), ("masks", (nuclei > 0).astype(np.uint8) * 255)):
            path = folder / "cells" / name / kind / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return folder / "cells"


def _book(data: Dataset) -> tuple[float, float]:
    """Train the book's network for its time; return its IoU on held-out images, and the seconds."""
    torch.manual_seed(0)
    x, test = data.train["image"].float() / 255, data.test[:HELD_OUT]
    network = book_unet.UNet(1, 2)
    step = book_unet.make_step(network, x, data.train.x[:, 0].long(), batch=BATCH)
    began = time.process_time()
    while time.process_time() - began < SECONDS:
        step()
    spent = time.process_time() - began
    with torch.no_grad():
        found = [network(image[None].float() / 255).argmax(1) for image in test["image"]]
    return _iou(torch.stack(found), test.x), spent


def _iou(found: Tensor, truth: Tensor) -> float:
    figure = Overlaps.of(found, truth, classes=2).figures(("back", "nuclei"))["iou_nuclei"]
    return 0.0 if figure is None else figure.value
