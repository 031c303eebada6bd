import errno
import os
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import Image, labelled
from ancestral.errors import RunError
from ancestral.evaluation import Evaluation, Figure
from ancestral.evaluation.charts import Box
from ancestral.evaluation.plane import Density
from ancestral.evaluation.report import ModelEntry, Section, render_report, write_report
from ancestral.networks.dag import DAG

EVIL = "<script>alert('x')</script>"
VOID = {"meta", "img", "wbr", "br", "link", "input"}


class Page(HTMLParser):
    """Collects tags, checks that they close in order, and keeps attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def log_normal(x: Tensor) -> Tensor:
    return -x.square().sum(dim=1) / 2


def vectors(name: str = "roll", columns: tuple[str, ...] = ("a", "b")) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    parts = [
        Examples(torch.randn(n, len(columns), generator=generator).double()) for n in (90, 20, 30)
    ]
    return Dataset(
        name=name,
        source=name,
        fields={"x": Vector.of_numbers(columns)},
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        fingerprint="f00d" * 16,
        duplicates_removed=7,
        notes=("Kind inferred from the suffix.",),
    )


def plane_section(name: str = "roll", columns: tuple[str, ...] = ("a", "b")) -> Section:
    x = torch.randn(50, len(columns), generator=torch.Generator().manual_seed(1))
    floor = {"floor": 0.1, "unit": "", "kind": "estimate"}
    vae = ModelEntry(
        name="vae",
        evaluation=Evaluation(
            figures={
                "log_prob": None,
                "elbo": Figure(-1.5, 0.01, "nats", "bound"),
                "sliced_wasserstein": Figure(0.2, 0.01, **floor),  # type: ignore[arg-type]
            },
            samples=x,
            nearest=x[:3],
        ),
        run="runs/vae",
        steps=1200,
        parameters=4321,
        seconds=30.0,
        cpu_seconds=59.0,
        curves=[{"step": i, "metrics": {"vae/loss": 1 / i}} for i in range(1, 50)],
        graph={"p": DAG({"x": ["z"]}), "q": DAG({"z": ["x"]})},
        repeat="ancestral fit vae roll --steps 1200",
        capabilities=("samples", "bound"),
        notes=("The decoder's deviation is learned.",),
    )
    kde = ModelEntry(
        name="kde",
        evaluation=Evaluation(
            figures={
                "log_prob": Figure(-1.25, 0.01, "nats", "exact"),
                "elbo": None,
                "sliced_wasserstein": Figure(0.11, 0.01, **floor),  # type: ignore[arg-type]
            },
            samples=x,
        ),
        density=Density(log_normal(Box.around(x).grid(8)), "exact") if len(columns) == 2 else None,
    )
    gan = ModelEntry(name="gan", error="loss is nan; lower the learning rate")
    return Section(
        data=vectors(name, columns),
        entries=[vae, kde, gan],
        budget="30s",
        repeat="ancestral compare roll --models vae,kde,gan",
    )


def image_section() -> Section:
    generator = torch.Generator().manual_seed(2)
    y = torch.arange(40) % 4
    x = torch.randint(0, 17, (40, 1, 8, 8), generator=generator).to(torch.uint8)
    part = Examples(x, {"label": y})
    data = Dataset(
        name="digits",
        source="digits",
        fields=labelled(Image.of(part.x, levels=17), "0123"),
        train=part,
        validation=part,
        test=part,
        official_split=True,
    )
    bits = [Figure(value, 0.01, "bits/dim", "bound") for value in (1.9, 2.1)]
    entries = [
        ModelEntry(
            name=name,
            evaluation=Evaluation(
                figures={"bits_per_dim": figure}, samples=x, given={"label": y}, nearest=x[:5]
            ),
        )
        for name, figure in zip(("image-vae", "gmm"), bits, strict=True)
    ]
    return Section(data=data, entries=entries)


def test_the_page_holds_everything_and_is_well_formed() -> None:
    text = render_report(title="Two data sets", sections=[image_section(), plane_section()])
    page = Page(text)
    assert page.all("html")[0]["lang"] == "en"
    for shown in (
        "Two data sets",
        "≥</span>&nbsp;−1.500 ± 0.010",
        "−1.250 ± 0.010",
        "loss is nan; lower the learning rate",
        "ancestral compare roll --models vae,kde,gan",
        "ancestral fit vae roll --steps 1200",
        "f00d" * 16,
        "7 across splits",
        "1,200",
        "59.0 s",
        "the source&#39;s own test split",
        "evidence lower bound",
        "q, the inference network",
        "The decoder&#39;s deviation is learned.",
        "Nearest training rows",
        "Nearest training examples",
    ):
        assert shown in text, shown


def test_the_best_of_a_row_is_marked_in_words_too() -> None:
    text = render_report(title="t", sections=[plane_section()])
    row = next(r for r in text.split("<tr>") if "wasserstein</code>" in r)
    marked = re.findall(r'<td class="best near">.*?</td>', row)
    assert len(marked) == 1
    assert "0.110 ± 0.010" in marked[0]
    assert "(best)" in marked[0]


def test_nothing_is_loaded_from_elsewhere() -> None:
    text = render_report(title="t", sections=[image_section(), plane_section()])
    page = Page(text)
    assert page.all("script") == []
    assert page.all("link") == []
    assert all((image["src"] or "").startswith("data:image/png") for image in page.all("img"))
    assert all((a["href"] or "").startswith("#") for a in page.all("a"))
    assert all((i["href"] or "").startswith("data:") for i in page.all("image"))
    assert "url(" not in text
    assert "@import" not in text
    policy = next(m for m in page.all("meta") if m.get("http-equiv"))
    assert (policy["content"] or "").startswith("default-src 'none'")


def test_the_page_can_be_read_without_seeing_it() -> None:
    page = Page(render_report(title="t", sections=[image_section(), plane_section()]))
    assert all(image["alt"] for image in page.all("img"))
    assert all("scope" in cell for cell in page.all("th"))
    assert all(chart["role"] == "img" for chart in page.all("svg") if "class" in chart)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {a["href"] for a in page.all("a")} <= {f"#{name}" for name in ids}


def test_names_out_of_data_are_escaped_everywhere() -> None:
    for columns in ((EVIL, "b"), (EVIL, "b", "c")):
        section = plane_section(name=EVIL, columns=columns)
        text = render_report(title=EVIL, sections=[section, image_section()])
        assert "<script" not in text
        assert "&lt;script&gt;" in text
        assert Page(text).all("script") == []


def test_one_model_is_no_comparison() -> None:
    section = plane_section()
    alone = Section(data=section.data, entries=section.entries[:1], repeat="ancestral evaluate r")
    text = render_report(title="t", sections=[alone])
    assert "Repeat this run" in text
    assert "best of its row" not in text
    assert '<td class="best' not in text


def test_an_entry_with_nothing_is_shown() -> None:
    section = Section(data=vectors(), entries=[ModelEntry(name="m", seconds=3.0)])
    text = render_report(title="t", sections=[section])
    Page(text)
    assert "Not measured on held-out data yet" in text
    assert "What the figures mean" not in text


def test_how_figures_were_measured_is_told_in_the_words_of_the_first() -> None:
    figures = {"log_prob": Figure(-1.0, 0.1, "nats", "exact")}
    told = [{"log_prob": "Of 30 examples.", "mmd": "Unused."}, {"log_prob": "Of 40 examples."}]
    entries = [
        ModelEntry(name=f"m{i}", evaluation=Evaluation(figures=figures, definitions=words))
        for i, words in enumerate(told)
    ]
    text = render_report(title="t", sections=[Section(data=vectors(), entries=entries)])
    assert "Of 30 examples." in text
    assert "Of 40 examples." not in text
    assert "Unused." not in text


def test_many_models_stand_below_one_another() -> None:
    """A row a model, so that none is out of sight; the floor is the first row."""
    figures = {"mmd": Figure(0.5, 0.125, "squared MMD", "estimate", floor=0.25)}
    figures["mmd_means"] = figures["mmd"]
    entries = [
        ModelEntry(name=f"m{i}", evaluation=Evaluation(figures=figures), steps=200 + i)
        for i in range(6)
    ]
    text = render_report(title="t", sections=[Section(data=vectors(), entries=entries)])
    Page(text)
    table = text[text.index("<table") : text.index("</table>")]
    assert '<tr class="floors"><th scope="row">floor</th><td>0.25</td>' in table
    assert table.count("<small>± 0.12</small>") == 6
    rows = table[table.index("<tbody>") :].split("<tr")[2:]
    assert [f"m{i}" in row and f">{200 + i}</td>" in row for i, row in enumerate(rows)] == [
        True
    ] * 6
    assert "best of its column" in text
    few = render_report(title="t", sections=[Section(data=vectors(), entries=entries[:5])])
    assert 'class="floors"' not in few
    assert "best of its row" in few


def test_the_same_input_gives_the_same_page_and_folders_are_made(tmp_path: Path) -> None:
    sections = [plane_section()]
    path = tmp_path / "new" / "deep" / "report.html"
    assert write_report(path, title="t", sections=sections) == path
    assert path.read_text() == render_report(title="t", sections=[plane_section()])
    assert list(path.parent.iterdir()) == [path]


def test_the_page_follows_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        path = write_report(tmp_path / "r.html", title="t", sections=[])
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_unwritable_path_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*file/r.html: ") as caught:
        write_report(tmp_path / "file" / "r.html", title="t", sections=[])
    assert "\n" not in str(caught.value)


def test_a_full_disk_leaves_the_old_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_report(tmp_path / "r.html", title="old", sections=[])
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*: No space left on device"):
        write_report(path, title="new", sections=[])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
