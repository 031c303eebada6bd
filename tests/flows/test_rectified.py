import pytest
import torch
from tests.contracts.models import labelled_blobs, train
from torch import Generator, Tensor

from ancestral.capabilities import Batch
from ancestral.flows import DistilledFlow, FlowMatching, RectifiedFlow, TeacherPairs
from ancestral.flows.flow_matching import Matching
from ancestral.nn import TimedMLP


def network(classes: int = 0) -> TimedMLP:
    return TimedMLP(2, hidden=(32, 32), classes=classes)


@pytest.fixture(scope="module")
def teacher() -> FlowMatching:
    torch.manual_seed(0)
    model = FlowMatching(network(), (2,))
    train(model.players(), Batch(labelled_blobs(512, 0).x), steps=400)
    return model.requires_grad_(False).eval()


@torch.no_grad()
def bend(model: Matching) -> float:
    """E int |x_1 - x_0 - v|^2 dt along the ways of the model: 0 where they are straight."""
    states = torch.stack([*model.walk(1000, generator=Generator().manual_seed(0))])
    velocity = states.diff(dim=0) * (len(states) - 1)
    return (velocity - (states[-1] - states[0])).square().sum(-1).mean().item()


def one_step(model: Matching, z: Tensor) -> Tensor:
    *_, x = model.walk(len(z), given={"z": z}, steps=1, sampler="euler")
    return x


def test_ways_are_straighter_and_one_step_nearer_after_reflow(teacher: FlowMatching) -> None:
    torch.manual_seed(1)
    pairs = TeacherPairs(teacher, size=2000)
    student = RectifiedFlow(network(), (2,), pairs=pairs)
    train(student.players(), Batch(torch.zeros(128, 2)), steps=400)
    assert bend(student) < 0.5 * bend(teacher)
    z, x = teacher.coupled(1000, generator=Generator().manual_seed(5))
    errors = [(one_step(model, z) - x).square().mean().item() for model in (teacher, student)]
    assert errors[1] < 0.5 * errors[0]
    distilled = DistilledFlow(network(), (2,), pairs=pairs)
    train(distilled.players(), Batch(torch.zeros(128, 2)), steps=400)
    got = distilled.sample(1000, given={"z": z})
    assert (got - x).square().mean().item() < 0.5 * errors[0]


def test_the_stock_is_a_function_of_the_teacher_alone(teacher: FlowMatching) -> None:
    drawn = []
    for _ in range(2):
        torch.manual_seed(torch.seed() % 1000)
        pairs = TeacherPairs(teacher, size=50)
        drawn.append(pairs.draw(20, torch.device("cpu"), Generator().manual_seed(3)))
    assert torch.equal(drawn[0][0], drawn[1][0])
    z, x, label = drawn[0]
    assert label is None
    torch.testing.assert_close(teacher.sample(20, given={"z": z}), x, atol=1e-5, rtol=1e-5)


def test_labels_stay_with_their_pairs() -> None:
    torch.manual_seed(0)
    teacher = FlowMatching(network(classes=2), (2,), classes=2)
    torch.nn.init.normal_(teacher.network.output.weight)
    pairs = TeacherPairs(teacher.requires_grad_(False), size=40)
    z, x, label = pairs.draw(30, torch.device("cpu"), None)
    assert label is not None
    assert set(label.tolist()) == {0, 1}
    again = teacher.sample(30, given={"z": z, "label": label})
    torch.testing.assert_close(again, x, atol=1e-5, rtol=1e-5)
    student = RectifiedFlow(network(classes=2), (2,), pairs=pairs, classes=2)
    loss = student.players()[0].loss(Batch(torch.zeros(7, 2)), None)
    assert loss.weight == 7


def test_the_teacher_is_no_part_of_the_student(teacher: FlowMatching) -> None:
    student = RectifiedFlow(network(), (2,), pairs=TeacherPairs(teacher, size=10))
    theirs = {id(parameter) for parameter in teacher.parameters()}
    assert not theirs & {id(parameter) for parameter in student.parameters()}
    assert student.state_dict().keys() == teacher.state_dict().keys()


def test_no_pairs_are_refused(teacher: FlowMatching) -> None:
    with pytest.raises(ValueError, match="pairs must be at least 1, got 0"):
        TeacherPairs(teacher, size=0)
