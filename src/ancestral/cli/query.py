"""``ancestral query``: answers from a Bayesian network, exact or estimated."""

from pathlib import Path

from ancestral.cli.asking import Asking
from ancestral.cli.options import Common, Destination, Flag, Pairs


def query(
    network: str,
    /,
    *targets: str,
    given: Pairs = None,
    asking: Asking = Asking(),  # noqa: B008 - frozen
    out: Path | None = None,
    overwrite: Flag = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Ask a Bayesian network for posterior probabilities and more.

    Parameters
    ----------
    network
        A run of bayes-net or on a mixed table, a file (bif, xmlbif, uai or net, plain or .gz), or
        the built-in network student.
    targets
        Nodes or columns to ask for; if none is named, all that are not given.
    given
        Evidence, NODE=STATE: the name of the state, or its number from 0 where no name of a state
        is a number; of a mixed table COLUMN=VALUE.
    out
        Draw the network with the answers into this .svg; with --rows, write the table of answers
        (csv, tsv, parquet, json, jsonl).
    overwrite
        Replace the file at --out.
    """
    from ancestral.cli.completing import answer_columns, table_run
    from ancestral.cli.questions import Question, answer  # torch is imported here.

    asking.check(targets, given)
    asking.check_out(out)
    common.apply()
    to = Destination(out=out, overwrite=overwrite)
    to.check()
    if (run := table_run(network)) is not None:
        answer_columns(run, targets, given, asking, common)
        return 0
    if asking.rows is not None:
        to.check_table()
    answer(Question.read(network, targets, given, asking, common), out)
    return 0
