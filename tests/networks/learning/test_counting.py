import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ancestral.errors import DataError
from ancestral.networks import BayesianNetwork, Node, Table, student_network
from ancestral.networks.learning import (
    Structure,
    family_score,
    fit_tables,
    from_summaries,
    log_likelihood,
    summarize,
)


def student_rows(n: int, seed: int = 0) -> dict[str, torch.Tensor]:
    return student_network().sample(n, generator=torch.Generator().manual_seed(seed))


def count_plainly(structure: Structure, columns: dict[str, np.ndarray], name: str) -> np.ndarray:
    table = np.zeros(structure.shape(name))
    for row in zip(*(columns[n] for n in (*structure.parents[name], name)), strict=True):
        table[row] += 1
    return table


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=4, max_size=4),
    rows=st.integers(1, 60),
    dtype=st.sampled_from([np.uint8, np.int8, np.int32, np.int64]),
    seed=st.integers(0, 2**32 - 1),
)
def test_counts_are_those_of_a_plain_loop(
    sizes: list[int], rows: int, dtype: type, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    states = {f"v{i}": tuple(map(str, range(size))) for i, size in enumerate(sizes)}
    structure = Structure({"v0": (), "v1": ("v0",), "v2": (), "v3": ("v2", "v1", "v0")}, states)
    columns = {
        name: rng.integers(0, len(of), rows).astype(dtype) for name, of in structure.states.items()
    }
    counts = summarize(structure, columns)
    for name in structure.parents:
        np.testing.assert_array_equal(counts.tables[name], count_plainly(structure, columns, name))


def test_tables_wider_than_a_byte_are_counted() -> None:
    rng = np.random.default_rng(0)
    states = {"a": tuple(map(str, range(300))), "b": tuple(map(str, range(250)))}
    structure = Structure({"a": (), "b": ("a",)}, states)
    columns = {"a": rng.integers(0, 300, 5000), "b": rng.integers(0, 250, 5000).astype(np.uint8)}
    counts = summarize(structure, columns)
    np.testing.assert_array_equal(counts.tables["b"], count_plainly(structure, columns, "b"))
    narrow = Structure({"b": (), "a": ("b",)}, states)
    np.testing.assert_array_equal(summarize(narrow, columns).tables["a"], counts.tables["b"].T)


def test_parts_add_up_to_the_whole_in_any_order() -> None:
    rows = student_rows(1000)
    parts = [summarize(student_network(), {n: v[i::3] for n, v in rows.items()}) for i in range(3)]
    whole = summarize(student_network(), rows)
    for merged in (parts[0] + parts[1] + parts[2], parts[2] + (parts[0] + parts[1])):
        assert merged.rows == whole.rows == 1000
        for name, table in whole.tables.items():
            np.testing.assert_array_equal(merged.tables[name], table)
    whole_network, from_parts = from_summaries(whole), from_summaries(iter(parts))
    for name in whole_network.nodes:
        assert torch.equal(
            whole_network.table(name).probabilities, from_parts.table(name).probabilities
        )


def test_weights_are_repetitions() -> None:
    rows = {name: value[:50] for name, value in student_rows(50).items()}
    weights = np.arange(50.0)
    repeated = {n: v.repeat_interleave(torch.arange(50)) for n, v in rows.items()}
    weighted, plain = (
        summarize(student_network(), rows, weights=weights),
        summarize(student_network(), repeated),
    )
    assert weighted.rows == plain.rows
    for name, table in plain.tables.items():
        np.testing.assert_array_equal(weighted.tables[name], table)


def test_maximum_likelihood_recovers_the_tables() -> None:
    n = 200_000
    fitted = fit_tables(student_network(), student_rows(n))
    for name, node in student_network().nodes.items():
        table = student_network().table(name).probabilities
        rarest = 0.1 * 0.2 * n if len(node.parents) < 2 else 0.1 * 0.2 * 0.3 * n
        # Five standard errors of a proportion from the rarest row.
        atol = 5 * 0.5 / math.sqrt(rarest)
        torch.testing.assert_close(fitted.table(name).probabilities, table, atol=atol, rtol=0)


def test_node_by_node_is_the_joint_maximum() -> None:
    """ML-06: the gradient of the joint log-likelihood in every table's logits is zero."""
    rows = student_rows(500)
    fitted = fit_tables(student_network(), rows)
    total = torch.zeros((), dtype=torch.float64)
    logits = {}
    for name, node in fitted.nodes.items():
        start = fitted.table(name).probabilities.log().nan_to_num(neginf=-800.0)
        logits[name] = start.requires_grad_()
        log_p = logits[name].log_softmax(-1)
        total = total + log_p[tuple(rows[n] for n in (*node.parents, name))].sum()
    total.backward()
    for logit in logits.values():
        torch.testing.assert_close(logit.grad, torch.zeros_like(logit), atol=1e-9, rtol=0)
    assert total.item() == pytest.approx(log_likelihood(fitted, rows), rel=1e-12)


@pytest.mark.bits
def test_each_node_is_fitted_on_its_own() -> None:
    rows = student_rows(300)
    whole = fit_tables(student_network(), rows)
    alone = fit_tables(
        Structure({"x1": (), "x2": ("x1",)}, {"x1": ("0", "1"), "x2": ("0", "1")}), rows
    )
    assert torch.equal(whole.table("x2").probabilities, alone.table("x2").probabilities)


def test_priors_are_those_of_dirichlet() -> None:
    structure = Structure({"a": (), "b": ("a",)}, {"a": ("x", "y"), "b": ("x", "y", "z")})
    columns = {"a": [0, 0, 0, 0], "b": [0, 0, 1, 2]}
    mean = fit_tables(structure, columns, pseudo_count=1)
    assert mean.table("b").probabilities[0].tolist() == pytest.approx([3 / 7, 2 / 7, 2 / 7])
    bdeu = fit_tables(structure, columns, equivalent_sample_size=6)
    assert bdeu.table("a").probabilities.tolist() == pytest.approx([7 / 10, 3 / 10])
    assert bdeu.table("b").probabilities[0].tolist() == pytest.approx([3 / 7, 2 / 7, 2 / 7])
    mode = fit_tables(structure, columns, pseudo_count=0.5).table("b").probabilities[0]
    # The mode of Dirichlet(counts + 1.5) by its density on a fine grid.
    grid = torch.linspace(0.005, 0.99, 198, dtype=torch.float64)
    p, q = (axis.flatten() for axis in torch.meshgrid(grid, grid, indexing="ij"))
    inside = p + q < 0.999
    points = torch.stack((p, q, 1 - p - q), -1)[inside]
    best = points[
        torch.distributions.Dirichlet(torch.tensor([3.5, 2.5, 2.5], dtype=torch.float64))
        .log_prob(points)
        .argmax()
    ]
    torch.testing.assert_close(best, mode, atol=0.006, rtol=0)  # One step of the grid.


def test_rows_never_seen_are_uniform() -> None:
    structure = Structure({"a": (), "b": ("a",)}, {"a": ("x", "y"), "b": ("x", "y")})
    fitted = fit_tables(structure, {"a": [0, 0], "b": [1, 1]})
    assert fitted.table("b").probabilities.tolist() == [[0.0, 1.0], [0.5, 0.5]]


def test_state_names_are_kept() -> None:
    network = BayesianNetwork([Node("a", Table([0.5, 0.5], states=("Asy/Patch", "<5")))])
    assert fit_tables(network, {"a": [0, 1]}).states("a") == ("Asy/Patch", "<5")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x2": None}, "no column 'x2'"),
        ({"x2": [0, 1]}, "'x2' must have 3 rows, got 2"),
        ({"x2": [0, 1, 2]}, "'x2' must hold states 0 to 1, got 2 in row 3"),
        ({"x2": [0, -1, 0]}, "got -1 in row 2; fit_em takes missing values"),
        ({"x2": [0.0, 1.0, 0.0]}, "'x2' must be whole numbers"),
    ],
)
def test_wrong_columns_are_refused(change: dict, message: str) -> None:
    columns = {name: [0, 1, 0] for name in ("x1", "x2", "x3", "x4")} | change
    columns = {name: value for name, value in columns.items() if value is not None}
    with pytest.raises(DataError, match=message):
        summarize(student_network(), columns)


def test_wrong_settings_are_refused() -> None:
    counts = summarize(student_network(), student_rows(10))
    with pytest.raises(ValueError, match="pseudo_count must be at least 0, got -1"):
        from_summaries(counts, pseudo_count=-1)
    with pytest.raises(ValueError, match="not both"):
        from_summaries(counts, pseudo_count=1, equivalent_sample_size=1)
    with pytest.raises(ValueError, match="got none"):
        from_summaries([])
    with pytest.raises(ValueError, match="weights must be 10 finite numbers"):
        summarize(student_network(), student_rows(10), weights=np.ones(3))
    with pytest.raises(ValueError, match="different structures"):
        counts + summarize(Structure({"x1": ()}, {"x1": ("0", "1")}), student_rows(10))
    with pytest.raises(ValueError, match="entries"):
        Structure(
            {"a": [f"p{i}" for i in range(40)]},
            {name: ("0", "1") for name in ["a", *(f"p{i}" for i in range(40))]},
        )
    with pytest.raises(ValueError, match="'b' has none"):
        Structure({"a": ("b",)}, {"a": ("0", "1")})


def test_the_posterior_of_a_parameter_on_a_grid_is_the_conjugate_one() -> None:
    """ML-01: p(t | x) = p(x | t) p(t) / p(x), by quadrature, for a coin with a Beta prior."""
    tosses = np.array([1, 1, 0, 1, 1, 0, 1])
    t = (np.arange(200_000) + 0.5) / 200_000
    prior = t * (1 - t) * 6  # Beta(2, 2).
    joint = prior * t ** tosses.sum() * (1 - t) ** (len(tosses) - tosses.sum())
    evidence = joint.mean()
    posterior = joint / evidence
    assert posterior.mean() == pytest.approx(1, abs=1e-9)
    structure = Structure({"coin": ()}, {"coin": ("0", "1")})
    fitted = fit_tables(structure, {"coin": tosses}, pseudo_count=2)
    assert fitted.table("coin").probabilities[1].item() == pytest.approx(
        (t * posterior).mean(), abs=1e-9
    )
    counts = summarize(structure, {"coin": tosses}).tables["coin"]
    found = family_score(counts, score="bdeu", equivalent_sample_size=4)
    assert found == pytest.approx(math.log(evidence), abs=1e-9)
