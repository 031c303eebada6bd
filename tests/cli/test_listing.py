from collections.abc import Callable

from ancestral.recipes import RECIPES


def test_models_by_what_they_can(cli: Callable) -> None:
    found = {model["name"]: model for model in cli("models", "--json").json["models"]}
    texts = ["bigram", "ngram", "kneser-ney", "rnn", "lstm", "gru", "gpt"]
    assert list(found) == list(RECIPES)
    assert set(texts) < set(found)
    for name, model in found.items():
        can = model["capabilities"]
        assert ("samples" in can) == (name not in {"classifier", "vit"})
        assert ("classifies" in can) == (name in {"classifier", "vit", "naive-bayes"})
        assert "graph" in can
        tables = {"bayes-net", "independent", "latent-class", "tabular-ar"}
        flows = {"realnvp", "maf", "nsf", "glow", "tarflow", "cnf", "flow-matching", "score"}
        exact = {"kde", "gmm", "hmm", "naive-bayes", "segment", *flows, *tables, *texts}
        assert ("language" in can) == (name in texts)
        assert ("density" in can) == (name in exact)
        vaes = {"vae", "beta-vae", "iwae", "hierarchical-vae", "image-vae", "vq-vae"}
        bound = {*vaes, "diffusion", "masked-diffusion", "bert"}
        assert ("bound" in can) == (name in bound)
    assert found["vae"]["settings"]["decoder_std"] == "learned"
    shown = cli("models").out
    assert all(name in shown for name in found)


def test_datasets(cli: Callable) -> None:
    found = {info["name"]: info for info in cli("datasets", "--json").json["datasets"]}
    assert found["digits"]["event_shape"] == [1, 8, 8]
    assert found["swiss-roll"]["available"]
    assert "swiss-roll" in cli("datasets").out
