import pytest
import torch
from tests.contracts.models import LABELS, Case, cases

pytestmark = cases("classifies")


def test_the_probabilities_of_the_labels_sum_to_one(case: Case) -> None:
    posterior = case.fitted().posterior(case.held_out.x)
    assert posterior.batch_shape == (64,)
    assert posterior.probs.shape == (64, LABELS)
    torch.testing.assert_close(posterior.probs.sum(dim=1).double(), torch.ones(64).double())


def test_what_was_learned_tells_the_labels_of_held_out_examples(case: Case) -> None:
    said = case.fitted().posterior(case.held_out.x).probs.argmax(dim=1)
    # Blobs four standard deviations apart, and rows against columns of 64 pixels.
    assert (said == case.held_out.given["label"]).double().mean() > 0.9


def test_each_example_is_judged_by_itself(case: Case) -> None:
    x = case.held_out.x
    together, alone = (case.fitted().posterior(part).logits for part in (x, x[3:4]))
    torch.testing.assert_close(together[3:4], alone, rtol=1e-5, atol=1e-5)


def test_an_example_of_another_shape_is_refused(case: Case) -> None:
    with pytest.raises(ValueError, match="x must"):
        case.fitted().posterior(torch.zeros(4, 7))
