"""``ancestral export``: a run, or a network in a file, in another format."""

from pathlib import Path

from ancestral.cli import console
from ancestral.cli.options import Common, Flag


def export(
    source: str,
    out: Path,
    /,
    *,
    to: str,
    dtype: str | None = None,
    overwrite: Flag = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Write a run in another format.

    Parameters
    ----------
    source
        A run folder; for the formats of networks also a network file.
    out
        Where to.
    to
        The format. Of networks: bif, xmlbif, uai or net. Of language models: hf, a folder for
        transformers and vLLM, or gguf, a file for llama.cpp.
    dtype
        Of gguf: f32 or f16.
    overwrite
        Replace what is there.
    """
    from ancestral.recipes import export_run

    common.apply()
    answer = export_run(source, out, to=to, dtype=dtype, overwrite=overwrite)
    if common.json:
        console.emit(answer)
    else:
        for note in answer.get("notes", ()):
            console.say(note)
        console.write(answer["out"])
    return 0
