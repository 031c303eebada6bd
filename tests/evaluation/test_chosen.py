import math
from pathlib import Path

import pytest
import torch

from ancestral.data import load
from ancestral.data.text import Spelling
from ancestral.evaluation import chosen
from ancestral.evaluation.chosen import Criterion, Judge
from ancestral.networks.units import InDataUnits
from ancestral.recipes import plan


def judged(by: Criterion, name: str, data: str | Path, **settings: object) -> Judge:
    made = plan(name, data, settings=settings)
    transform = made.transform()
    return by.judge(InDataUnits(made.build(transform), transform), made.data, seed=0)


def test_the_same_weights_get_the_same_figure() -> None:
    judge = judged(chosen.ELBO, "vae", "moons", size="tiny")
    first = judge()
    assert judge() == first
    assert judge.figure is not None
    assert judge.figure.kind == "bound"
    assert judge.figure.unit == "nats"


def test_a_gan_is_judged_by_distance_beside_its_floor() -> None:
    judge = judged(chosen.SLICED_WASSERSTEIN, "gan", "moons", size="tiny")
    judge()
    assert judge.figure is not None
    assert 0 < judge.figure.floor < judge.figure.value


def test_missing_cells_of_drawn_rows_are_judged_as_they_are_not_as_a_divergence(
    tmp_path: Path,
) -> None:
    table = tmp_path / "gaps.csv"
    rows = [f"{'' if i % 2 else i % 7},{'red' if i % 3 else ''}" for i in range(200)]
    table.write_text("\n".join(["size,colour", *rows]) + "\n")
    judge = judged(chosen.SLICED_WASSERSTEIN, "gan", table, size="tiny")
    assert bool(judge.model.sample(100).isnan().any())
    assert 0 < judge()["sliced_wasserstein"] < 5


def test_a_generator_that_is_forced_to_collapse_is_said_to_have() -> None:
    judge = judged(chosen.SAMPLES, "gan", "ring", size="tiny")
    last = [layer for layer in judge.model.network.generator.modules() if hasattr(layer, "bias")][
        -1
    ]
    real = judge.model.transform(judge.data.train.x[:1]).float()[0]
    with torch.no_grad():  # One of the eight modes alone, a little spread.
        last.weight.mul_(0.01)
        last.bias.copy_(real)
    figures = judge()
    assert figures["precision"] > 0.5
    assert max(figures["coverage"], figures["recall"]) < 0.2
    (said,) = judge.said
    assert said.startswith("mode collapse: samples reach few held-out examples, coverage ")


def test_real_data_in_the_place_of_samples_have_all_modes() -> None:
    judge = judged(chosen.SAMPLES, "empirical", "ring")
    judge.model.network.fit(judge.data.train.x.double())
    figures = judge()
    assert min(figures[name] for name in ("precision", "coverage", "recall")) > 0.9
    assert judge.said == []


def test_samples_that_are_not_finite_are_no_figure() -> None:
    judge = judged(chosen.SLICED_WASSERSTEIN, "gan", "digits", size="tiny")
    with torch.no_grad():
        for parameter in judge.model.network.parameters():
            parameter.fill_(math.nan)
    assert math.isnan(judge()["sliced_wasserstein"])
    assert judge.figure is None


def test_a_likelihood_that_is_none_is_judged_by_its_loss() -> None:
    judge = judged(chosen.ELBO, "image-vae", "digits", size="tiny", likelihood="cross-entropy")
    assert judge.choice is chosen.LOSS
    assert judge()["loss"] > 0
    assert judge.figure is not None
    assert judge.figure.kind == "loss"


@pytest.mark.parametrize(("conditional", "unit"), [(True, "nats given the label"), (False, "nats")])
def test_a_bound_given_the_label_says_so(conditional: bool, unit: str) -> None:
    judge = judged(chosen.ELBO, "image-vae", "digits", size="tiny", conditional=conditional)
    judge()
    assert ("label" in judge.model.nodes) == conditional
    assert judge.figure is not None
    assert judge.figure.unit == unit


def test_a_density_is_judged_without_the_label() -> None:
    judge = judged(chosen.LOG_PROB, "naive-bayes", "digits")
    judge()
    assert "label" in judge.model.nodes
    assert judge.figure is not None
    assert judge.figure.unit == "nats"


def test_labels_are_counted() -> None:
    planned = plan("image-vae", "digits", settings={"size": "tiny"})
    model = planned.build(planned.transform())
    labels = load("digits").train.given["label"]
    share = labels.bincount().double() / len(labels)
    torch.testing.assert_close(model.labels.probabilities.double(), share)


def test_unknown_words_are_charged_their_spelling(tmp_path: Path) -> None:
    lines = [f"verso {'abcdefghij'[n % 10] * 5}{'klmnopqrst'[n // 10] * 4}" for n in range(50)]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    judge = judged(chosen.BITS_PER_CHAR, "gpt", tmp_path / "a.txt", size="tiny", tokenizer="word")
    figures, corpus = judge(), judge.data.text
    spelling, documents = Spelling(corpus.tokenizer), corpus.validation
    spelled = sum(float(spelling.document(documents, i).sum()) for i in range(5))
    assert spelled > 5 * 9 * math.log(2)  # Each of the five lines has a word that is new.
    nats = figures["loss"] * (len(documents.tokens) - 5) + spelled
    expected = nats / math.log(2) / int(documents.characters.sum())
    assert figures["bits_per_char"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("window", "known"), [(512, False), (16, True)])
def test_one_window_alone_has_no_standard_error(verses_txt: Path, window: int, known: bool) -> None:
    settings = {"size": "tiny", "tokenizer": "word", "window": window}
    judge = judged(chosen.BITS_PER_CHAR, "gpt", verses_txt, **settings)
    assert (len(judge.data.validation.x) > 1) == known
    assert list(judge()) == ["bits_per_char", "perplexity", "loss"]
    assert judge.figure is not None
    assert (judge.figure.se is not None) == known
