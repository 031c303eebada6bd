"""Text from a run on text."""

from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from ancestral.autoregressive.reduced import Int8LanguageModel
from ancestral.autoregressive.token_chain import TokenChain
from ancestral.autoregressive.writing import Writer, Writing
from ancestral.capabilities import LanguageModel
from ancestral.data.answers import Answer, texts_answer
from ancestral.diffusion.masked import MaskedDiffusion
from ancestral.errors import CapabilityError
from ancestral.recipes.filling import draw_filled
from ancestral.recipes.runs import Run
from ancestral.recipes.sampling import Asked
from ancestral.training.order import seed_of


def open_writer(run: Run | str | Path, *, device: str = "cpu", int8: bool = False) -> Writer:
    """Open a run on text, to write by its model.

    Args:
        run: The run, or its folder.
        device: Where to compute.
        int8: Compute with weights of eight bits.

    Raises:
        RunError: If it is not a run on text or has no weights.
        CapabilityError: If the model has no version in eight bits.
    """
    run = Run.open(run)
    return _writer(run, run.model(device=device).network, device=device, int8=int8)


def _writer(run: Run, model: nn.Module, *, device: str, int8: bool) -> Writer:
    tokenizer = run.tokenizer()
    if not isinstance(model, LanguageModel):
        raise CapabilityError(f"{run.record.model} does not predict tokens")
    if int8:
        if not isinstance(model, TokenChain):
            raise CapabilityError(f"{run.record.model} has no weights to compute with in 8 bits")
        return Writer(Int8LanguageModel(model), tokenizer, partial(open_writer, device=device))
    return Writer(model, tokenizer, partial(open_writer, device=device))


def draw_texts(run: Run, asked: Asked) -> Answer:
    """Return texts of a run: one alone is shown as it is made.

    Raises:
        CapabilityError: If the model cannot do what is asked.
        ConfigError: If the prompt or a setting does not fit the run.
    """
    if asked.given or asked.means:
        raise CapabilityError("--given and --means are not of language models; try --prompt")
    model = run.model(device=asked.device, sampling=asked.settings).network
    if isinstance(model, MaskedDiffusion):
        return draw_filled(run, model, asked)
    for name in ("infill", "blank"):
        if name in asked.writing:
            raise CapabilityError(
                f"--{name} is of masked-diffusion and bert: {run.record.model} writes from left "
                "to right"
            )
    seed = seed_of(asked.seed, "sample") >> 1
    what = Writing.of(asked.writing, n=1 if asked.n is None else asked.n, seed=seed)
    writer = _writer(run, model, device=asked.device, int8="int8" in asked.writing)

    def rows() -> list[dict[str, Any]]:
        return [one.to_json() for one in writer.write(what)]

    alone = what.n == 1 and not (what.beams or what.stop)
    show = partial(writer.stream, what) if alone else None
    return texts_answer(rows, {"n": what.n}, show=show)
