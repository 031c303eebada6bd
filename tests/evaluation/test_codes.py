import pytest
import torch
from torch import nn

from ancestral.autoencoders import AE
from ancestral.data import load
from ancestral.data.dataset import Dataset
from ancestral.data.model_units import copied
from ancestral.evaluation import evaluate
from ancestral.evaluation.codes import codes_of
from ancestral.evaluation.kinds import bench_of
from ancestral.evaluation.report import ModelEntry, Section
from ancestral.evaluation.report.page import render_report
from ancestral.evaluation.setting import Setting
from ancestral.networks.units import InDataUnits


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def first_pixels(data: Dataset, kept: int) -> InDataUnits:
    """Return an autoencoder whose code is the first pixels; of the others it makes black."""
    encoder, decoder = nn.Linear(64, kept, bias=False), nn.Linear(kept, 64, bias=False)
    with torch.no_grad():
        encoder.weight.copy_(torch.eye(64)[:kept])
        decoder.weight.copy_(torch.eye(64)[:, :kept])
    model = AE(
        nn.Sequential(nn.Flatten(), encoder),
        nn.Sequential(decoder, nn.Unflatten(1, (1, 8, 8))),
        event_shape=(1, 8, 8),
        latent=kept,
    )
    return InDataUnits(model.eval(), copied(data))


def test_reconstructions_lose_what_the_code_leaves_out(digits: Dataset) -> None:
    found = codes_of(first_pixels(digits, 32), digits, bench_of(digits).space)
    x = digits.test.x
    lost = (x[:, 0, 4:].double() / 16).square().flatten(1).sum(1)
    assert found.lost.value == pytest.approx(float(lost.mean()), rel=1e-5)
    images, back = found.worst
    assert torch.equal(images[0], x[lost.argmax()])
    assert torch.equal(back[:, :, :4], images[:, :, :4])
    assert not back[:, :, 4:].any()
    assert torch.equal(found.first[0], x[:10])


def test_a_code_of_all_pixels_is_mapped_as_the_examples_are(digits: Dataset) -> None:
    found = codes_of(first_pixels(digits, 64), digits, bench_of(digits).space)
    assert found.lost.value == 0
    torch.testing.assert_close(found.places.abs(), found.beside.abs(), rtol=1e-4, atol=1e-5)
    values = [found.probes[name].value for name in ("codes", "examples", "components")]
    assert max(values) - min(values) < 0.01
    assert values[0] > 0.9


def test_a_code_of_one_number_has_a_map(digits: Dataset) -> None:
    found = codes_of(first_pixels(digits, 1), digits, bench_of(digits).space)
    assert found.places.shape == (len(digits.test), 2)


def test_the_report_shows_them_and_says_loss(digits: Dataset) -> None:
    sizes = Setting(samples=60, references=60)
    found = evaluate(first_pixels(digits, 32), digits, setting=sizes)
    figure = found.figures["reconstruction"]
    assert figure is not None
    assert figure.kind == "loss"
    page = render_report(
        title="t",
        sections=[Section(data=digits, entries=[ModelEntry(name="ae", evaluation=found)])],
    )
    assert "What the codes keep" in page
    assert "A line finds the labels of" in page
    assert page.count("component 1 of the codes") >= 1
    assert "those of which most is lost" in page
