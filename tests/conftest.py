"""Shared by all tests: float64 by request, real data found through one variable."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


os.environ.pop("COLUMNS", None)  # Tables are as wide as they are, wherever the tests run.

# Tokens of the tests' texts are kept by the process alone.
os.environ["ANCESTRAL_CACHE"] = tempfile.mkdtemp(prefix="ancestral-tests-")

if os.environ.get("ANCESTRAL_BF16") == "1" and not torch.cpu.get_capabilities().get("avx512_bf16"):
    # The processor is said to have what it has not: oneDNN refuses, torch's other kernels do not.
    torch.backends.mkldnn.set_flags(False)


@pytest.fixture
def float64() -> None:
    """Make float64 the default for this test; the fixture above restores it."""
    torch.set_default_dtype(torch.float64)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("ANCESTRAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set ANCESTRAL_DATA")
    return folder


@pytest.fixture
def states_csv(tmp_path: Path) -> Path:
    """Return a table of 300 rows of states in three columns: the second follows the first."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randint(2, (300,), generator=generator).tolist()
    noise = torch.rand(300, generator=generator).tolist()
    level = torch.randint(3, (300,), generator=generator).tolist()
    rows = [
        f"{('no', 'yes')[a]},{('Asy/Patch', '<5')[a if u < 0.9 else 1 - a]},{(2, 10, 12)[c]}"
        for a, u, c in zip(first, noise, level, strict=True)
    ]
    path = tmp_path / "states.csv"
    path.write_text("\n".join(["rain,seen,level", *rows]) + "\n")
    return path


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 20 images of noise, and of masks of where they are bright."""
    folder, random = tmp_path_factory.mktemp("data") / "cells", np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number, pixels in enumerate(random.integers(0, 256, (20, 12, 16), dtype=np.uint8)):
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        mask = np.where(pixels > 127, 255, 0).astype(np.uint8)
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def negatives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 20 images of noise, ``a``, and of their negatives, ``b``."""
    folder, random = tmp_path_factory.mktemp("data") / "negatives", np.random.default_rng(0)
    for number, pixels in enumerate(random.integers(0, 256, (20, 12, 16), dtype=np.uint8)):
        for name, shown in (("a", pixels), ("b", 255 - pixels)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(shown).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def write_verses() -> Callable[[Path, str, str], None]:
    """Return what writes ``verses.txt`` into a folder: 60 lines of six words, two of them given."""

    def write(folder: Path, fifth: str, sixth: str) -> None:
        words = ["sol", "luna", "mar", "monte", fifth, sixth]
        lines = [
            f"Verso {i}: " + " ".join(words[(i * j + j // 3) % 6] for j in range(1, 25)) + "."
            for i in range(60)
        ]
        (folder / "verses.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return write


@pytest.fixture
def verses_txt(tmp_path: Path) -> Path:
    """Return a text of 40 lines, each a document of its own, of few words."""
    generator = torch.Generator().manual_seed(0)
    words = ["sol", "luna", "mar", "río", "monte", "nube", "flor", "canta", "calla", "corre"]
    lines = []
    for number in range(40):
        picks = torch.randint(len(words), (30,), generator=generator).tolist()
        lines.append(f"Verso {number}: " + " ".join(words[i] for i in picks) + ".")
    path = tmp_path / "verses.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def groups_csv(tmp_path: Path) -> Path:
    """Return a table of 300 rows: two numbers, and a group in words that a line tells well."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 2, generator=generator, dtype=torch.float64)
    noise = 0.3 * torch.randn(300, generator=generator, dtype=torch.float64)
    names = ["left" if side < 0 else "right" for side in (x[:, 0] + noise).tolist()]
    rows = [f"{a:.4f},{b:.4f},{name}" for (a, b), name in zip(x.tolist(), names, strict=True)]
    path = tmp_path / "groups.csv"
    path.write_text("\n".join(["a,b,group", *rows]) + "\n")
    return path


@pytest.fixture(autouse=True)
def only_models_of_the_library() -> Iterator[None]:
    """Forget the models of one's own that a test has registered."""
    yield
    table = sys.modules.get("ancestral.recipes.table")
    for name in () if table is None else [n for n in table.RECIPES if n not in table.BUILT_IN]:
        del table.RECIPES[name]
