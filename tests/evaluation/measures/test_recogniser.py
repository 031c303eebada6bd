from pathlib import Path

import torch

from ancestral.data.fields import LABEL
from ancestral.evaluation import Setting, bench_of, evaluate
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.images import Images
from ancestral.evaluation.measures import precision_recall
from ancestral.evaluation.measures.recogniser import FEATURES, Recogniser
from ancestral.recipes import fit
from ancestral.training import Budget


def images(classes: int = 3, n: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise, brighter in the column of the label."""
    generator = torch.Generator().manual_seed(0)
    x, labels = torch.rand(n, 1, 9, 6, generator=generator) / 2, torch.arange(n) % classes
    x[torch.arange(n), 0, :, labels] += 0.5
    return x, labels


def test_it_learns_what_a_label_looks_like() -> None:
    x, labels = images()
    found = Recogniser(x[:200], labels[:200])
    assert (found.labels(x[200:]) == labels[200:]).double().mean() > 0.97
    assert found.features(x).shape == (300, FEATURES)


def test_the_same_seed_gives_the_same_network_and_leaves_the_global_state_alone() -> None:
    x, labels = images(n=64)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = (Recogniser(x, labels, seed=1) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.features(x), second.features(x))
    assert not torch.equal(first.features(x), Recogniser(x, labels, seed=2).features(x))


def test_large_images_are_seen_small() -> None:
    x = torch.rand(4, 3, 100, 40)
    assert Recogniser(x, torch.arange(4) % 2).features(x).shape == (4, FEATURES)


def test_agreement_and_features_of_models_that_are_given_labels(tmp_path: Path) -> None:
    run = fit("naive-bayes", "digits", out=tmp_path / "bayes")
    data = run.data()
    bench = bench_of(data, Setting(samples=1_000, references=1_000, radii=300))
    assert isinstance(bench, Images)
    found = evaluate(run.model(), data, bench=bench).figures
    agreement, distance = found["label_agreement"], found["feature_frechet"]
    assert agreement is not None
    assert distance is not None
    # Independent pixels look like their digit, though not as real ones do.
    assert agreement.floor is not None
    assert 0.5 < agreement.value < agreement.floor + 0.05
    assert agreement.floor > 0.95
    assert distance.floor is not None
    assert distance.value > 3 * distance.floor
    # Real images in the place of samples agree as the floor says; shuffled labels by chance.
    labels = data.test.given[LABEL]
    seen = bench.recogniser.labels(bench.space(data.test.x).reshape(-1, *data.event_shape))
    assert (seen == labels).double().mean() > 0.95
    other = bench.of_labels(data.test.x, {LABEL: (labels + 1) % 10}, Attempts())
    assert other["label_agreement"] is not None
    assert other["label_agreement"].value < 0.05


def test_the_label_that_is_covered_least_is_the_one_that_counts(tmp_path: Path) -> None:
    data = fit("naive-bayes", "digits", out=tmp_path / "bayes").data()
    bench = bench_of(data, Setting(samples=1_000, references=1_000, radii=300))
    assert isinstance(bench, Images)
    x, labels = data.train.x.clone(), data.train.given[LABEL]
    whole = bench.of_labels(x, {LABEL: labels}, Attempts())["label_coverage"]
    assert whole is not None
    assert whole.floor is not None
    assert whole.value > 0.9 * whole.floor  # Real images of each label.
    x[labels == 3] = x[labels == 3][:1]  # One image of one label, again and again.
    fallen = bench.of_labels(x, {LABEL: labels}, Attempts())["label_coverage"]
    assert fallen is not None
    assert fallen.floor is not None
    assert fallen.value < 0.5 * fallen.floor
    # Of the images of that label, by themselves.
    order = bench.orders[2][:300]
    real = bench.reference[:300][data.test.given[LABEL][order] == 3]
    points = bench.points(x[labels == 3])
    assert fallen.value == precision_recall(real, points)["coverage"].value


def test_means_of_a_vae_agree_with_their_labels_by_a_figure_of_their_own(tmp_path: Path) -> None:
    settings = {"size": "tiny"}
    run = fit("image-vae", "digits", settings=settings, budget=Budget(steps=2), out=tmp_path / "v")
    bench = bench_of(run.data(), Setting(samples=100, references=100, radii=50, draws=1))
    found = evaluate(run.model(), bench.data, bench=bench).figures
    for name in ("label_agreement", "label_agreement_means"):
        figure = found[name]
        assert figure is not None
        assert 0 <= figure.value < 0.5  # After two steps: near one of ten.
        assert figure.floor is not None


def test_models_without_labels_have_no_agreement(tmp_path: Path) -> None:
    run = fit("gmm", "digits", out=tmp_path / "gmm", settings={"components": 2})
    bench = bench_of(run.data(), Setting(samples=500, references=500, radii=100))
    found = evaluate(run.model(), bench.data, bench=bench).figures
    assert "label_agreement" not in found
    assert found["feature_frechet"] is not None
