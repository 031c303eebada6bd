"""How the answers of a Bayesian network are shown to people."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ancestral.cli import console

if TYPE_CHECKING:
    from ancestral.networks import Explanation, Posterior
    from ancestral.networks.approximate import Estimate
    from ancestral.networks.learning import Criteria

_BAR = 32
_CELLS = 200
_ENTRIES = 40


def show_posterior(found: "Posterior", title: str | None, *, evidence: bool) -> None:
    """Show each state with its probability as a bar, and the evidence's own if there is any."""
    rows = [
        ("" if number else name, state, f"{p:.6f}", _bar(p))
        for name, states in found.probabilities.items()
        for number, (state, p) in enumerate(states.items())
    ]
    console.table(("node", "state", "probability", ""), rows, title=title)
    if evidence:
        console.write(f"log p(evidence) = {found.log_evidence:.6f} nats")


def show_states(found: "Explanation", title: str | None) -> None:
    """Show the most probable states and the log of their joint probability."""
    title = f"most probable together{f', {title}' if title else ''}"
    console.table(("node", "state"), list(found.states.items()), title=title)
    console.write(f"log p(states, evidence) = {found.log_probability:.6f} nats")


def show_joint(names: Sequence[str], cells: Sequence[Any], title: str | None) -> None:
    """Show the joint table, most probable first."""
    ordered = sorted(cells, key=lambda cell: -cell["probability"])
    rows = [
        (*cell["states"].values(), f"{cell['probability']:.6f}", _bar(cell["probability"]))
        for cell in ordered[:_CELLS]
    ]
    console.table((*names, "probability", ""), rows, title=title)
    if len(ordered) > _CELLS:
        console.write(f"and {len(ordered) - _CELLS:,} more combinations, each less probable")


def show_estimate(found: "Estimate", title: str | None) -> None:
    """Show estimated probabilities with standard errors, and the method's own figures."""
    rows = []
    for name, states in found.probabilities.items():
        errors = found.standard_errors and found.standard_errors[name]
        for number, (state, p) in enumerate(states.items()):
            se = f"± {errors[state]:.6f}" if errors else ""
            rows.append(("" if number else name, state, f"{p:.6f}", se, _bar(p)))
    title = f"estimate by {found.method}{f', {title}' if title else ''}"
    console.table(("node", "state", "probability", "", ""), rows, title=title)
    for name, value in found.diagnostics.items():
        console.write(f"{name.replace('_', ' ')}: {value:,.6g}")
    for warning in found.warnings:
        console.write(f"warning: {warning}")


def show_criteria(found: "Criteria") -> None:
    """Show how well a network explains a table."""
    console.facts(
        [
            ("rows", f"{found.rows:,.0f}"),
            ("parameters", f"{found.parameters:,}"),
            ("log-likelihood", f"{found.log_likelihood:.6f} nats"),
            ("a row", f"{found.log_likelihood / found.rows:.6f} nats"),
            ("AIC", f"{found.aic:.6f}"),
            ("BIC", f"{found.bic:.6f}"),
        ]
    )


def show_sensitivity(
    target: Mapping[str, str],
    probability: float,
    table: tuple[str, Sequence[str], Sequence[Any]],
    given: Mapping[str, str],
) -> None:
    """Show the entries of a node's table by how much the probability of the target moves.

    Args:
        target: States of the target.
        probability: Of the target.
        table: The node, its parents, and an object an entry.
        given: Evidence.
    """
    node, parents, entries = table
    console.write(f"p({pairs(target)}{f' | {pairs(given)}' if given else ''}) = {probability:.6f}")
    ordered = sorted(entries, key=lambda entry: -abs(entry["derivative"]))
    rows = [
        (
            *(entry["parents"][name] for name in parents),
            entry["state"],
            f"{entry['entry']:.6f}",
            f"{entry['derivative']:+.6f}",
        )
        for entry in ordered[:_ENTRIES]
    ]
    console.table((*parents, node, "entry", "derivative"), rows)
    if len(ordered) > _ENTRIES:
        console.write(f"and {len(ordered) - _ENTRIES:,} more entries, each with less effect")


def _bar(p: float) -> str:
    return "█" * round(p * _BAR)


def pairs(states: Mapping[str, str]) -> str:
    """Return names and what they are, in words."""
    return ", ".join(f"{name} = {state}" for name, state in states.items())
