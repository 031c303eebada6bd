"""``ancestral schema``: what the columns of a table are, to be read or edited."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ancestral.cli import console
from ancestral.cli.options import Common, Flag, Pairs


def schema(
    data: str,
    /,
    *,
    set_: Annotated[Pairs, Parameter(name="--set")] = None,
    out: Path | None = None,
    overwrite: Flag = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Say what each column of a table is.

    Parameters
    ----------
    data
        A table: csv, tsv, json, jsonl or parquet.
    set_
        How it is read: columns=a,b drop=c type.NAME=category header=false schema=FILE.
    out
        A file, toml, in which it can be changed, for --set schema=FILE.
    overwrite
        Replace what is there.
    """
    from dataclasses import replace

    from ancestral.cli.options import Destination
    from ancestral.data.columns import Vector
    from ancestral.data.files import make_above, write_text
    from ancestral.data.plain import to_plain
    from ancestral.data.schema import write_schema
    from ancestral.data.sources import read
    from ancestral.errors import ConfigError
    from ancestral.recipes.reading import loading_of
    from ancestral.settings import parse_pairs

    Destination(out=out, overwrite=overwrite).check()
    loading = replace(loading_of(parse_pairs(set_ or ())), mixed=True)
    contents = read(data, loading)[1]
    if not isinstance(contents.field, Vector):
        raise ConfigError(f"a schema is of a table, {data} holds {contents.kind}")
    text = write_schema(contents.field, Path(data).name)
    if out is not None:
        make_above(out)
        write_text(out, text)
    if common.json:
        console.emit({"data": data, **to_plain(contents.field), "out": out and str(out)})
        return 0
    for note in contents.notes if out is not None else ():
        console.tell(note)
    console.write(text.rstrip() if out is None else str(out))
    return 0
