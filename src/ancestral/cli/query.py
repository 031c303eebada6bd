"""``ancestral query``: exact answers from a Bayesian network."""

from pathlib import Path
from typing import TYPE_CHECKING

from ancestral.cli import console
from ancestral.cli.options import Common, Destination, Flag, Pairs
from ancestral.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ancestral.networks import BayesianNetwork, Posterior

_BAR = 32
_BUILT_IN = ("student",)


def query(
    network: str,
    /,
    *targets: str,
    given: Pairs = None,
    out: Path | None = None,
    overwrite: Flag = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Ask for posterior probabilities.

    Parameters
    ----------
    network
        A file in the BIF format, plain or .gz, or the built-in network student.
    targets
        Nodes to ask for; all that are not given if none is named.
    given
        Evidence, NODE=STATE; a state by name or by its number from 0.
    out
        Draw the network with the answers into this .svg.
    overwrite
        Replace what is at --out.
    """
    from ancestral.networks import query as ask
    from ancestral.recipes.settings import parse_pairs

    common.apply()
    Destination(out=out, overwrite=overwrite).check()
    if out is not None and out.suffix.lower() != ".svg":
        raise ConfigError(f"--out must end in .svg, got {str(out)!r}")
    opened = _open(network)
    evidence = parse_pairs(given or (), option="--given")
    wanted = targets or tuple(name for name in opened.graph.names if name not in evidence)
    evidence = _states(opened, evidence)
    found = ask(opened, wanted, given=evidence)
    if out is not None:
        _draw(opened, found, evidence, out)
    answer = {
        "network": network,
        "given": evidence,
        "posteriors": {name: dict(p) for name, p in found.probabilities.items()},
        "log_evidence": found.log_evidence,
    }
    if common.json:
        console.emit(answer if out is None else {**answer, "out": str(out)})
    else:
        _show(found, evidence)
    return 0


def _open(network: str) -> "BayesianNetwork":
    from ancestral.networks import read_network, student_network
    from ancestral.recipes.settings import nearest

    if network in _BUILT_IN:
        return student_network()
    if not Path(network).exists():
        hint = nearest(network, _BUILT_IN)
        raise DataError(f"no network {network!r}: there is no such file{hint}")
    return read_network(network)


def _states(network: "BayesianNetwork", given: dict[str, str]) -> dict[str, str]:
    """Return evidence by the names of states; a number counts where no state has that name."""
    found = {}
    for name, state in given.items():
        known = network.states(name) if name in network.nodes else ()
        numbered = state not in known and state.isdecimal() and int(state) < len(known)
        found[name] = known[int(state)] if numbered else state
    return found


def _draw(
    network: "BayesianNetwork", found: "Posterior", evidence: dict[str, str], out: Path
) -> None:
    from ancestral.recipes.files import disk_errors, write_text

    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    svg = network.graph.draw(observed=tuple(evidence), values=found.probabilities)
    write_text(out, svg)


def _show(found: "Posterior", evidence: dict[str, str]) -> None:
    known = ", ".join(f"{name} = {state}" for name, state in evidence.items())
    rows = []
    for name, states in found.probabilities.items():
        for number, (state, p) in enumerate(states.items()):
            bar = "█" * round(p * _BAR)
            rows.append(("" if number else name, state, f"{p:.6f}", bar))
    console.table(("node", "state", "probability", ""), rows, title=known and f"given {known}")
    if evidence:
        console.write(f"log p(evidence) = {found.log_evidence:.6f} nats")
