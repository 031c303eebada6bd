"""Models of mixed tables on a table whose law is known."""

import math
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor
from torch.distributions import Normal, Poisson

from ancestral.capabilities import HasBound, HasDensity
from ancestral.data import Column, Loading, Vector, load
from ancestral.recipes import Run, fit, plan
from ancestral.recipes.completing import draw_rows
from ancestral.recipes.imputing import best_rows, impute_rows
from ancestral.training.budget import Budget

KINDS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
FLAG = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
GAP = torch.tensor([0.0, 0.1, 0.4], dtype=torch.float64)
MEAN = torch.tensor([[2.0, 3.0], [5.0, 5.5], [9.0, 7.0]], dtype=torch.float64)


def draw(n: int, seed: int) -> Tensor:
    """Rows of the network kind -> flag (with gaps) -> size -> count, [n, 4]."""
    generator = Generator().manual_seed(seed)
    kind = KINDS.multinomial(n, replacement=True, generator=generator)
    flag = (torch.rand(n, generator=generator, dtype=torch.float64) < FLAG[kind]).long()
    size = MEAN[kind, flag] + torch.randn(n, generator=generator, dtype=torch.float64)
    size = (size.clamp(0, 12) * 10).round() / 10
    count = torch.poisson(size.float() / 2, generator=generator).double().clamp(max=15)
    gone = torch.rand(n, generator=generator, dtype=torch.float64) < GAP[kind]
    shown = flag.double().masked_fill(gone, math.nan)
    return torch.stack((kind.double(), shown, size, count), dim=1)


def true_log_prob(x: Tensor) -> Tensor:
    """log P of the recorded values; a flag that is not known is summed out."""
    kind, size, count = x[:, 0].long(), x[:, 2], x[:, 3]
    gone = x[:, 1].isnan()
    each = []
    for flag in (0, 1):
        normal = Normal(MEAN[kind, flag], 1.0)
        low = torch.where(size <= 0, -math.inf, size - 0.05)
        high = torch.where(size >= 12, math.inf, size + 0.05)
        cell = (normal.cdf(high) - normal.cdf(low)).clamp_min(1e-300).log()
        p = FLAG[kind] if flag else 1 - FLAG[kind]
        told = torch.where(gone, GAP[kind].log(), (1 - GAP[kind]).log())
        each.append(p.log() + told + cell + torch.where(gone | (x[:, 1] == flag), 0.0, -math.inf))
    law = Poisson((size / 2).clamp_min(1e-12), validate_args=False)
    tail = 1 - torch.stack([law.log_prob(torch.tensor(float(k))).exp() for k in range(15)]).sum(0)
    last = torch.where(count >= 15, tail.clamp_min(1e-300).log(), law.log_prob(count))
    return KINDS[kind].log() + torch.stack(each).logsumexp(dim=0) + last


def write(x: Tensor, path: Path) -> Path:
    words = ("low", "middle", "high")
    lines = ["kind,flag,size,count"]
    for kind, flag, size, count in x.tolist():
        told = "" if math.isnan(flag) else ("no", "yes")[int(flag)]
        lines.append(f"{words[int(kind)]},{told},{size:.1f},{int(count)}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(draw(8000, 0), tmp_path_factory.mktemp("tables") / "known.csv")


@pytest.fixture(scope="module")
def runs(table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    settings = {"bayes-net": {"mixed": True}}
    return {
        name: fit(name, str(table), settings=settings.get(name), out=folder / name)
        for name in ("independent", "latent-class", "bayes-net")
    }


def truth(run: Run) -> tuple[Tensor, Tensor]:
    """The true and the model's log-probability of the test rows, under the codes of the truth."""
    data = run.data()
    x = data.test.x.clone()
    assert isinstance(data.field, Vector)
    kinds = [("low", "middle", "high").index(state) for state in data.field.columns[0].states]
    flags = [("no", "yes").index(state) for state in data.field.columns[1].states]
    x[:, 0] = torch.tensor(kinds).double()[x[:, 0].long()]
    gone = x[:, 1].isnan()
    flag = torch.tensor(flags).double()[x[:, 1].nan_to_num().long()]
    x[:, 1] = flag.masked_fill(gone, math.nan)
    with torch.no_grad():
        return true_log_prob(x), run.model().log_prob(data.test.x).double()


def test_the_columns_are_found_as_they_were_recorded(table: Path) -> None:
    data = load(str(table), Loading(mixed=True))
    assert isinstance(data.field, Vector)
    kinds = [(c.type, c.resolution, c.gaps) for c in data.field.columns]
    assert kinds[0] == ("category", None, False)
    assert kinds[1] == ("truth", None, True)
    assert kinds[2][0] == "number"
    assert kinds[2][1] == pytest.approx(0.1)
    assert kinds[3] == ("integer", 1.0, False)


def test_no_model_beats_the_truth_and_dependence_is_worth_what_it_is(runs: dict[str, Run]) -> None:
    means = {}
    for name, run in runs.items():
        true, found = truth(run)
        means[name] = found.mean().item()
        gain = true - found
        assert gain.mean() > -3 * gain.std() / len(gain) ** 0.5, name
        assert run.model().can(HasDensity)
    assert means["independent"] < means["latent-class"] < true.mean().item()
    assert means["independent"] < means["bayes-net"]


@pytest.mark.slow
def test_autoregression_comes_within_two_percent_of_the_truth(table: Path, tmp_path: Path) -> None:
    run = fit(
        "tabular-ar",
        str(table),
        settings={"width": 64, "blocks": 1},
        budget="30s",
        out=tmp_path / "run",
    )
    true, found = truth(run)
    gain = true - found
    assert gain.mean() > -3 * gain.std() / len(gain) ** 0.5
    assert found.mean() > 1.02 * true.mean()


def test_given_columns_and_gaps_come_back_as_they_are(runs: dict[str, Run]) -> None:
    run = runs["latent-class"]
    field = run.record.data.field
    assert isinstance(field, Vector)
    x = draw_rows(run.model(), 400, {"kind": "high", "count": "3"}, seed=1)
    rows = field.rows(x)
    assert {(row[0], row[3]) for row in rows} == {("high", 3)}
    share = sum(row[1] is None for row in rows) / len(rows)
    assert 0.2 < share < 0.6  # 0.4 of the high ones have no flag.
    holes = x.clone()
    holes[:, 1:3] = math.nan
    filled = impute_rows(run, holes, draws=3, seed=2)
    assert filled.shape == (3, 400, 4)
    assert not bool(filled.isnan().any())
    assert torch.equal(filled[0][:, [0, 3]], x[:, [0, 3]])
    assert not torch.equal(filled[0], filled[1])


def test_the_best_filling_has_less_error_than_draws_have(runs: dict[str, Run]) -> None:
    run = runs["latent-class"]
    x = run.data().test.x
    x = x[~x[:, 1].isnan()]
    holes = x.clone()
    holes[::2, 2], holes[1::2, 0] = math.nan, math.nan
    best, drawn = best_rows(run, holes), impute_rows(run, holes, seed=2)[0]
    told = ~holes.isnan()
    assert torch.equal(best[told], x[told])
    assert torch.equal(best_rows(run.folder, holes), best)
    # A draw has the variance of the law once more than its mean: 2 at least, were the law known.
    squares = [(filled - x)[::2, 2].square().mean() for filled in (best, drawn)]
    assert squares[1] > 1.5 * squares[0]
    right = [(filled == x)[1::2, 0].double().mean() for filled in (best, drawn)]
    assert right[0] > right[1] + 0.02


@pytest.mark.parametrize(("rows", "apart"), [(100, 20), (2_000, 80), (6_000, 100)])
def test_small_tables_are_validated_within_twenty_epochs(
    rows: int, apart: int, tmp_path: Path
) -> None:
    path = write(draw(rows, seed=3), tmp_path / "table.csv")
    settings = {"batch_size": min(512, rows * 8 // 10), "fractions": (0.1, 0.1)}
    options = plan("tabular-ar", path, settings=settings, budget="1h").options
    assert options is not None
    assert options.validate_every == apart


def test_balanced_draws_have_every_state_as_often(runs: dict[str, Run]) -> None:
    run = runs["independent"]
    x = draw_rows(run.model(), 300, {}, balance="kind", seed=0)
    assert x[:, 0].long().bincount().tolist() == [100, 100, 100]


def test_a_column_of_one_type_is_written_as_it_was_read() -> None:
    column = Column(name="n", type="integer", resolution=1.0, low=0, high=9)
    field = Vector(columns=(column,), mixed=True)
    assert field.rows(torch.tensor([[3.0], [math.nan]])) == [[3], [None]]


def test_a_report_stands_where_one_row_is_held_out(table: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    short.write_text("\n".join(table.read_text().splitlines()[:60]) + "\n")
    run = fit("independent", str(short), settings={"fractions": (0.1, 0.01)}, out=tmp_path / "run")
    assert len(run.data().test) == 1
    assert "Column by column" in (run.folder / "report.html").read_text()


@pytest.mark.parametrize("name", ["diffusion", "flow-matching"])
def test_noise_becomes_rows_in_the_words_of_the_table(
    name: str, table: Path, tmp_path: Path
) -> None:
    run = fit(
        name,
        str(table),
        settings={"size": "tiny"},
        budget=Budget(steps=20),
        out=tmp_path / "run",
    )
    assert run.record.config.ordered == (False, False, True, True)
    data, model = run.data(), run.model()
    if model.can(HasBound):
        assert run.record.config.weighting == "cross-entropy"
        bound = model.elbo(data.test.x, generator=Generator().manual_seed(0))
        assert bool(bound.isfinite().all())
    assert not model.can(HasDensity)
    drawn = model.sample(50, generator=Generator().manual_seed(0))
    kinds = {row[0] for row in data.field.rows(drawn)}
    assert kinds <= {"low", "middle", "high"}
    assert bool((drawn[:, 2] >= 0).all() & (drawn[:, 2] <= 12).all())
    torch.testing.assert_close(drawn[:, 2] * 10, (drawn[:, 2] * 10).round())
