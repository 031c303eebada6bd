"""Fashion-MNIST with a class held out as abnormal, ten times: who tells it best, at its defaults.

Each class in turn is abnormal: the models see training images of the nine others, and are asked
about test images of all ten. Ours is one default, chosen beforehand on MNIST: ``ae`` of
dense layers and the score ``strangeness``. Beside it, on the same splits: an isolation forest, the
reconstruction from 32 principal axes (a code as long as ours) and, where PyOD is installed, its
autoencoder.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from torch import Tensor

from ancestral.data import Dataset, Examples, load
from ancestral.evaluation.anomalies import Detector
from ancestral.evaluation.tables.roc import area
from ancestral.recipes import fit
from ancestral.training import Budget
from benchmarks.harness import Result

DATA, TRAIN, TEST, STEPS = "fashion-mnist", 12_000, 5_000, 1_500
SETTINGS = {"network": "dense"}

Peer = Callable[[np.ndarray, np.ndarray], np.ndarray]


def forest(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    return -IsolationForest(random_state=0).fit(train).score_samples(test)


def axes(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    found = PCA(32, random_state=0).fit(train)
    return ((found.inverse_transform(found.transform(test)) - test) ** 2).sum(axis=1)


def pyod(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    from pyod.models.auto_encoder import AutoEncoder

    model = AutoEncoder(random_state=0, verbose=0)
    return model.fit(train).decision_function(test)


@cache
def peers() -> dict[str, Peer]:
    """Return those that are installed."""
    found: dict[str, Peer] = {"isolation forest": forest, "principal axes": axes}
    if find_spec("pyod") is None:
        print("PyOD is not installed: its autoencoder is left out", file=sys.stderr)
        return found
    return {**found, "PyOD's autoencoder": pyod}


def ours(normal: Examples, held_out: Examples, test: Tensor) -> np.ndarray:
    """Fit the default to the normal images; return how strange those of the test are."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        images = normal.x[:, 0].numpy()
        run = fit("ae", images, settings=SETTINGS, budget=Budget(steps=STEPS), out=out)
        detector = Detector.of(run.model(), normal, held_out)
    return detector.score(Examples(test)).scores["strangeness"].numpy()


def areas(data: Dataset, abnormal: int) -> dict[str, tuple[float, float]]:
    """Return AUROC and seconds of each, one class being abnormal."""
    seen = data.train[torch.nonzero(data.train["label"] != abnormal).flatten()[: TRAIN + 2_000]]
    normal, held_out = Examples(seen.x[:TRAIN]), Examples(seen.x[TRAIN:])
    test, strange = data.test.x[:TEST], data.test["label"][:TEST] == abnormal

    def flat(x: Tensor) -> np.ndarray:
        return x.flatten(1).numpy() / 255

    asked: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: ours(normal, held_out, test),
        **{
            name: lambda peer=peer: peer(flat(normal.x), flat(test))
            for name, peer in peers().items()
        },
    }
    found = {}
    for name, ask in asked.items():
        began = time.perf_counter()
        scores = torch.from_numpy(np.asarray(ask(), dtype=float))
        found[name] = area(scores[strange], scores[~strange]).value, time.perf_counter() - began
    said = ", ".join(f"{name} {value:.3f}" for name, (value, _) in found.items())
    print(f"{data.labels[abnormal]} abnormal: {said}", file=sys.stderr, flush=True)
    return found


def run() -> Iterator[Result]:
    """Yield one comparison a peer: the ratio of mean AUROCs, with the paired interval."""
    data = load(DATA)
    found = [areas(data, label) for label in range(len(data.labels))]
    mine = np.array([each["ours"][0] for each in found])
    for name in [*found[0]][1:]:
        theirs = np.array([each[name][0] for each in found])
        gap = mine - theirs
        half = student.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / len(gap) ** 0.5
        yield Result(
            name=f"anomalies of {DATA}, AUROC, one class of ten held out",
            peer=name,
            ours_seconds=float(np.median([each["ours"][1] for each in found])),
            peer_seconds=float(np.median([each[name][1] for each in found])),
            ratio=float(mine.mean() / theirs.mean()),
            rounds=(mine / theirs).round(3).tolist(),
            bar=1.0,
            note=f"mean {mine.mean():.3f} against {theirs.mean():.3f}, gap {gap.mean():+.3f} "
            f"± {half:.3f} (95%, paired)",
            figures={"ours": float(mine.mean()), "peer": float(theirs.mean()), "half": half},
        )
