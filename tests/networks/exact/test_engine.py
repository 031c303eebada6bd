import gc
import weakref

from tests.networks.exact.networks import random_network

from ancestral.networks import Inference, query, student_network
from ancestral.networks.exact.engine import _KEPT, engine_of


def test_programs_are_reused_and_forgotten_with_their_network() -> None:
    network = student_network()
    for state in (0, 1, 0):
        query(network, ["x1"], given={"x2": state})
    assert len(engine_of(network)._programs) == 1
    assert engine_of(network) is engine_of(network)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_few_programs_are_kept() -> None:
    network = random_network(1, most=9)
    names = list(network.nodes)
    inference = Inference(network)
    for mask in range(2 ** min(len(names), 7)):
        given = {name: 0 for at, name in enumerate(names) if mask >> at & 1}
        inference.query(given=given)
    assert len(engine_of(network)._programs) <= _KEPT


def test_a_changed_table_keeps_the_tree_and_renews_the_numbers() -> None:
    network = student_network()
    inference = Inference(network)
    inference.query(given={"x2": 1})
    before = next(iter(engine_of(network)._programs.values()))
    buffer = network.table("x1").probabilities
    buffer.copy_(buffer.flip(0))
    answer = inference.query(given={"x2": 1}).probabilities["x1"]["1"]
    after = next(iter(engine_of(network)._programs.values()))
    assert after is not before
    assert after.structure is before.structure
    assert abs(answer - 0.1 * 0.75 / (0.1 * 0.75 + 0.9 * 0.2)) < 1e-12
