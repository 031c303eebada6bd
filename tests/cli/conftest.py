"""The real command line, in process for speed, and a few runs that all tests share."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from ancestral.cli.app import run


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        """The one object on standard output."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line of a mistake."""
        assert self.status == 2, (self.status, self.err)
        assert self.out == ""
        assert self.err.startswith("ancestral: ")
        assert self.err.count("\n") == 1, self.err
        return self.err


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    threads = torch.get_num_threads()

    def call(*words: object) -> Outcome:
        capsys.readouterr()
        status = run([str(word) for word in words])
        return Outcome(status, *capsys.readouterr())

    yield call
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a table of 240 people in their own units, with a column of names of two groups."""
    random = np.random.default_rng(0)
    height = random.normal(170, 10, 240)
    weight = 0.9 * height - 90 + random.normal(0, 5, 240)
    path = tmp_path_factory.mktemp("data") / "people.csv"
    rows = [f"{h:.3f},{w:.3f}" for h, w in zip(height, weight, strict=True)]
    path.write_text("height,weight\n" + "\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Callable[[str], Path]:
    """Return a function from MODEL-DATA to a run folder; each is fitted once."""
    folder = tmp_path_factory.mktemp("runs")
    extra = ["--set", "size=tiny", "--steps", "5", "--threads", "1"]
    commands = {
        "vae-table": ["vae", table, *extra],
        "ae-table": ["ae", table, *extra],
        "gan-table": ["gan", table, *extra],
        "diffusion-table": ["diffusion", table, *extra],
        "diffusion-digits": ["diffusion", "digits", *extra],
        "kde-table": ["kde", table],
        "image-vae-digits": ["image-vae", "digits", *extra],
        "kde-digits": ["kde", "digits", "--set", "bandwidth=0.5"],
    }

    def run_of(name: str) -> Path:
        out = folder / name
        if not out.exists():
            words = ["fit", *map(str, commands[name]), "--out", str(out), "--json"]
            assert run(words) == 0
        return out

    return run_of
