"""Run folders of the first format, made by version 0.1.0 before fields had names, still open."""

import shutil
from pathlib import Path

import pytest
import torch

from ancestral.data.columns import Vector
from ancestral.data.fields import Category, Image, Tokens
from ancestral.recipes import Run, resume

FOLDER = Path(__file__).parent / "old_runs"


def test_an_image_vae_decodes_as_it_did() -> None:
    run = Run.open(FOLDER / "image-vae")
    assert run.record.data.fields == {
        "x": Image(channels=1, height=8, width=8, levels=17),
        "label": Category(states=tuple("0123456789")),
    }
    units, three = run.model(), {"label": torch.tensor([3])}
    black = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    # Printed by the version that made the run; grey levels of a sum may round the other way.
    assert int(units.decode(torch.zeros(1, 16), given=three).sum()) == pytest.approx(526, abs=2)
    mean = units.encode(black, given=three).mean.sum().item()
    assert mean == pytest.approx(-0.3090826887637377, abs=1e-5)


def test_a_gpt_scores_as_it_did() -> None:
    run = Run.open(FOLDER / "gpt")
    units = run.model()
    vocabulary = run.tokenizer().vocabulary
    assert run.record.data.fields == {"x": Tokens(vocabulary=vocabulary, window=16)}
    tokens = torch.tensor([[vocabulary - 4, 1, 2, 3, 4]])
    assert units.log_prob(tokens).item() == pytest.approx(-12.921677589416504, abs=1e-4)


def test_a_bayes_net_scores_as_it_did() -> None:
    run = Run.open(FOLDER / "bayes-net")
    assert run.record.data.fields == {
        "x": Vector.of_states(("rain", "wind", "play"), (("n", "y"), ("h", "l"), ("no", "yes")))
    }
    rows = torch.tensor([[0, 0, 0], [1, 1, 1], [0, 1, 1]], dtype=torch.uint8)
    found = run.model().log_prob(rows)
    expected = torch.tensor([-1.822921, -3.226455, -1.657741], dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_an_old_run_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(FOLDER / "image-vae", folder)
    fitting = resume(folder, budget="0.5s")
    for _ in fitting:
        pass
    assert fitting.run.record.result.steps > 3
    assert "format = 2" in (folder / "run.toml").read_text()
