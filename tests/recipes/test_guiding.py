"""A classifier, a run of its own, guides the draws of a diffusion that knows no labels."""

from pathlib import Path

import pytest
import torch
from torch import Generator

import ancestral
from ancestral.errors import CapabilityError, ConfigError
from ancestral.recipes import Run

PLAIN = {"size": "tiny", "conditional": False, "label": "side"}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clouds in units of their own, one of the columns whole numbers."""
    noise = torch.randn(400, 2, generator=Generator().manual_seed(0))
    rows = [
        f"{100 + 3 * x + 12 * (i % 2):.4f},{round(40 * y.item())},{'ab'[i % 2]}"
        for i, (x, y) in enumerate(noise)
    ]
    path = tmp_path_factory.mktemp("data") / "clouds.csv"
    path.write_text("\n".join(["x,y,side", *rows]))
    return path


def fit(name: str, table: Path, steps: int, settings: dict[str, object]) -> Run:
    budget, out = ancestral.Budget(steps=steps), table.parent / f"{name}-{len(settings)}"
    return ancestral.fit(name, table, settings=settings, budget=budget, out=out)


@pytest.fixture(scope="module")
def diffusion(table: Path) -> Run:
    return fit("diffusion", table, 400, PLAIN)


@pytest.fixture(scope="module")
def judge(table: Path) -> Run:
    return fit("classifier", table, 200, {"label": "side"})


@pytest.mark.parametrize(("label", "side"), [("a", -1), ("b", 1)])
def test_draws_go_where_the_classifier_knows_the_label(
    diffusion: Run, judge: Run, label: str, side: int
) -> None:
    how = {"classifier": judge.folder, "guidance": 2, "steps": 20}
    x = ancestral.sample_run(diffusion, 200, given={"label": label}, settings=how)[:, 0]
    plain = ancestral.sample_run(diffusion, 200, settings={"steps": 20})[:, 0]
    # The middle between the clouds is two deviations from both.
    assert ((x - 106) * side > 0).float().mean() > 0.95
    assert 0.3 < ((plain - 106) * side > 0).float().mean() < 0.7


def test_what_cannot_guide_is_refused_in_one_line(
    diffusion: Run, judge: Run, table: Path, tmp_path: Path
) -> None:
    def draw(run: Run, classifier: Run, **given: str) -> None:
        ancestral.sample_run(run, 4, given=given, settings={"classifier": classifier.folder})

    with pytest.raises(ConfigError, match="guides towards a label: give one"):
        draw(diffusion, judge)
    with pytest.raises(ConfigError, match="classifier must be a run that tells labels from"):
        draw(diffusion, diffusion, label="a")
    (tmp_path / "other.csv").write_text(table.read_text().replace(",b", ",c"))
    other = fit("classifier", tmp_path / "other.csv", 5, {"label": "side"})
    with pytest.raises(ConfigError, match=r"must know the labels of .*: a, b; .* knows a, c"):
        draw(diffusion, other, label="a")
    labelled = fit("diffusion", table, 5, {**PLAIN, "conditional": True, "chain": 5})
    with pytest.raises(CapabilityError, match="diffusion with labels: leave it out"):
        draw(labelled, judge, label="a")
    with pytest.raises(CapabilityError, match=r"given no label, .* holds classifier"):
        draw(judge, judge, label="a")
