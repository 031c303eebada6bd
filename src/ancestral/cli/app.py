"""The application: which commands there are, each imported only when it is called."""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from ancestral import __version__
from ancestral.cli import console
from ancestral.errors import AncestralError

_HELP = """Generative models of every paradigm, fitted to your data, compared honestly.

DATA is a name (ancestral datasets), a table (csv, parquet, npy, npz), a text (txt), a folder of
images, of texts or of IDX files. A run is a folder."""

_EXAMPLE = "Example:  ancestral compare swiss-roll --models kde,gmm,vae,gan --budget 30s"

_COMMANDS = (
    ("models", "listing:models", "Show the models by paradigm, and what each can do.", ""),
    ("datasets", "listing:datasets", "Show the data that have a name.", ""),
    (
        "schema",
        "schema:schema",
        "Say what each column of a table is; --out writes it to be changed.",
        "my_table.csv --out my_table.toml",
    ),
    (
        "fit",
        "fit:fit",
        "Fit a model to data; Ctrl-C saves, --resume goes on.",
        "vae my_table.csv --budget 60s --set latent=8 --out runs/first",
    ),
    (
        "sample",
        "sample:sample",
        "Draw new examples from a run, in the data's own units and format.",
        "runs/digits -n 100 --given label=3 --out threes",
    ),
    (
        "evaluate",
        "evaluate:evaluate",
        "Measure a run on held-out data that training never saw.",
        "runs/first --json",
    ),
    (
        "compare",
        "compare:compare",
        "Fit several models, measure all on the same held-out data, write one report.",
        "swiss-roll --models kde,gmm,vae,gan --budget 30s",
    ),
    (
        "interpolate",
        "latent:interpolate",
        "Walk between two held-out examples through the latents of a run.",
        "runs/digits 0 7 --steps 10 --out path.png",
    ),
    (
        "grid",
        "latent:grid",
        "Show what lies between four held-out examples in the latents of a run.",
        "runs/digits 0 7 12 30 --out grid.png",
    ),
    (
        "shift",
        "latent:shift",
        "Give an example more or less of an attribute.",
        "runs/digits 0 --toward label=3 --out threes.png",
    ),
    (
        "encode",
        "latent:encode",
        "Write the latents of data, mean and standard deviation, to a table.",
        "runs/first my_table.csv --out latents.csv",
    ),
    (
        "reconstruct",
        "latent:reconstruct",
        "Write each example as a run makes it of its latents: cleaned, by a denoising-ae.",
        "runs/clean noisy/ --out cleaned",
    ),
    (
        "impute",
        "completing:impute",
        "Fill the gaps of a table by a run, several draws of each.",
        "runs/people gaps.csv --draws 5 --out filled.csv",
    ),
    (
        "score",
        "score:score",
        "Say how surprised a run is by each row, image or token; of a classifier: its labels.",
        "runs/story my_story.txt --out surprise.csv",
    ),
    (
        "serve",
        "serve:serve",
        "Serve a run on text over HTTP, as OpenAI's completions.",
        "runs/story --port 8000",
    ),
    (
        "query",
        "query:query",
        "Ask a Bayesian network, or a run on a table, for probabilities.",
        "student x4 --given x1=1 x3=0",
    ),
    (
        "reproduce",
        "reproduce:reproduce",
        "Make numbers and figures of the book anew, beside what is printed.",
        "FG-15 BN-02 --lang es",
    ),
    (
        "export",
        "export:export",
        "Write a run in another format, for other programs.",
        "runs/net net.bif --to bif",
    ),
    (
        "demo",
        "demo:demo",
        "Compare models on handwritten digits and on a swiss roll, in one report.",
        "--budget 25s --out runs/demo",
    ),
)

_SPREAD = ("--set", "--given", "--do", "--likelihood")


def _make() -> App:
    made = App(
        name="ancestral",
        help=_HELP,
        help_epilogue=_EXAMPLE,
        help_format="plaintext",
        version=__version__,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for order, (name, path, line, example) in enumerate(_COMMANDS):
        # The line is known here, so that the overview imports no command.
        made.command(
            f"ancestral.cli.{path}",
            name=name,
            help=line,
            help_epilogue=f"Example:  ancestral {name} {example}".rstrip(),
            sort_key=order,
        )
    return made


app = _make()


def spread(tokens: Sequence[str]) -> list[str]:
    """Let ``--set a=1 b=2`` mean ``--set a=1 --set b=2``, and others of pairs alike.

    Example:
        >>> spread(["fit", "--set", "a=1", "b=2", "vae"])
        ['fit', '--set', 'a=1', '--set', 'b=2', 'vae']
    """
    found: list[str] = []
    option = ""
    for token in tokens:
        pair = "=" in token and not token.startswith("-")
        if pair and option and found[-1] != option:
            found.append(option)
        elif not pair:
            option = token if token in _SPREAD else ""
        found.append(token)
    return found


def run(arguments: Sequence[str]) -> int:
    """Parse and call; return the exit status.

    A mistake that the user can mend is one line on standard error and status 2.
    """
    try:
        command, bound, _ = app.parse_args(
            spread(arguments), exit_on_error=False, print_error=False, verbose=False
        )
        status = command(*bound.args, **bound.kwargs)
        sys.stdout.flush()  # Where standard output is a full disk, this is where it shows.
    except CycloptsError as error:
        return console.fail(f"{console.one_line(error)} (see ancestral --help)")
    except AncestralError as error:
        return console.fail(error.line)
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        return console.fail("out of memory; ask for less at once, or set a smaller batch_size")
    except UnicodeEncodeError as error:
        near = error.object[max(0, error.start - 20) : error.end]
        return console.fail(f"text must be in UTF-8, got {near!r}")
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        where = f": {error.filename}" if error.filename else ""
        return console.fail(f"{error.strerror or error}{where}")
    return status if isinstance(status, int) else 0


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(
        words in str(error) for words in ("out of memory", "not enough memory", "can't allocate")
    )
