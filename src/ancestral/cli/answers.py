"""How the answers of a Bayesian network are shown to people."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ancestral.cli import console

if TYPE_CHECKING:
    from ancestral.networks import Explanation, Posterior
    from ancestral.networks.approximate import Estimate

_BAR = 32
_CELLS = 200


def show_posterior(found: "Posterior", given: Mapping[str, str], do: Mapping[str, str]) -> None:
    """Show each state with its probability as a bar, and the evidence's own."""
    rows = [
        ("" if number else name, state, f"{p:.6f}", _bar(p))
        for name, states in found.probabilities.items()
        for number, (state, p) in enumerate(states.items())
    ]
    parts = [f"given {_pairs(given)}" if given else "", f"do {_pairs(do)}" if do else ""]
    title = ", ".join(part for part in parts if part) or None
    console.table(("node", "state", "probability", ""), rows, title=title)
    if given:
        console.write(f"log p(evidence) = {found.log_evidence:.6f} nats")


def show_states(found: "Explanation", given: Mapping[str, str]) -> None:
    """Show the most probable states and the log of their joint probability."""
    title = f"most probable together{f', given {_pairs(given)}' if given else ''}"
    console.table(("node", "state"), list(found.states.items()), title=title)
    console.write(f"log p(states, evidence) = {found.log_probability:.6f} nats")


def show_joint(names: Sequence[str], cells: Sequence[Any], given: Mapping[str, str]) -> None:
    """Show the joint table, most probable first."""
    ordered = sorted(cells, key=lambda cell: -cell["probability"])
    rows = [
        (*cell["states"].values(), f"{cell['probability']:.6f}", _bar(cell["probability"]))
        for cell in ordered[:_CELLS]
    ]
    title = f"given {_pairs(given)}" if given else None
    console.table((*names, "probability", ""), rows, title=title)
    if len(ordered) > _CELLS:
        console.write(f"and {len(ordered) - _CELLS:,} more combinations, each less probable")


def show_estimate(found: "Estimate", given: Mapping[str, str]) -> None:
    """Show estimated probabilities with standard errors, and the method's own figures."""
    rows = []
    for name, states in found.probabilities.items():
        errors = found.standard_errors and found.standard_errors[name]
        for number, (state, p) in enumerate(states.items()):
            se = f"± {errors[state]:.6f}" if errors else ""
            rows.append(("" if number else name, state, f"{p:.6f}", se, _bar(p)))
    title = f"estimate by {found.method}{f', given {_pairs(given)}' if given else ''}"
    console.table(("node", "state", "probability", "", ""), rows, title=title)
    for name, value in found.diagnostics.items():
        console.write(f"{name.replace('_', ' ')}: {value:,.6g}")
    for warning in found.warnings:
        console.write(f"warning: {warning}")


def _bar(p: float) -> str:
    return "█" * round(p * _BAR)


def _pairs(states: Mapping[str, str]) -> str:
    return ", ".join(f"{name} = {state}" for name, state in states.items())
