"""What a run remembers of its data."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from ancestral.data.dataset import Dataset, Examples, Loading, TextLoading, as_field
from ancestral.data.fields import LABEL, Field, WithFields, X
from ancestral.data.plain import from_plain, to_plain
from ancestral.data.sources import read
from ancestral.data.splitting import Contents
from ancestral.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRecord(WithFields):
    """The data of a run: how to load them again, and what is needed without them.

    Args:
        name: A short name.
        source: What loads it.
        fields: What ``x`` and the given fields are.
        fingerprint: Of contents and split.
        train: Examples in the training split.
        loading: Everything that changes what is loaded.
    """

    name: str
    source: str
    fields: Mapping[str, Field]
    fingerprint: str
    train: int
    loading: Loading = field(default_factory=Loading)

    @classmethod
    def of(cls, data: Dataset, loading: Loading) -> Self:
        """Return the record of a data set."""
        return cls(
            name=data.name,
            source=data.source,
            fields=data.fields,
            fingerprint=data.fingerprint,
            train=data.training_examples,
            loading=loading,
        )

    def read(self, source: str, *, who: str) -> tuple[Examples, tuple[str, ...]]:
        """Read all examples of a source, in its order, as these data are.

        Args:
            source: A name, a file or a folder.
            who: Subject and verb of the message, such as "RUN models".

        Returns:
            The examples, under these states; their labels, which need not be these, keep the
            numbers that they have in the names returned. A table need not have the label's column.

        Raises:
            RunError: If a field differs.
            DataError: If they cannot be read.
        """
        examples, contents = self._contents(source)
        values = {X: examples.x, **examples.given}
        for name, mine in self.fields.items():
            if name in values and name != LABEL:
                other = contents.fields[name]
                values[name] = as_field(mine, other, values[name], who=who, source=source)
        return Examples(values.pop(X), values), contents.labels

    def _contents(self, source: str) -> tuple[Examples, Contents]:
        """Read a source; one that has only ``x`` has lost nothing that is needed."""
        loading = replace(self.loading, size=self.side, masks=None)
        try:
            return read(source, loading, expected=self.field)
        except DataError:
            bare = replace(loading, label=None, field=None)
            if bare == loading:
                raise
            with suppress(DataError):  # The first error is the one to tell.
                found = read(source, bare, expected=self.field)
                if self.field.difference(found[1].field, found[0].x) is None:
                    return found
            raise

    def to_plain(self) -> dict[str, Any]:
        """Return what TOML can hold, but for None."""
        return {
            "name": self.name,
            "source": self.source,
            "fingerprint": self.fingerprint,
            "train": self.train,
            "loading": asdict(self.loading),
            "fields": {name: to_plain(field) for name, field in self.fields.items()},
        }

    @classmethod
    def from_plain(cls, found: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_plain` described."""
        values = dict(found)
        loading = dict(values.pop("loading"))
        for several in {"fractions", "columns", "drop"} & set(loading):
            loading[several] = tuple(loading[several])
        loading["text"] = TextLoading(**loading.pop("text", {}))
        loading = Loading(**loading)
        plain = values.pop("fields", None)
        if plain is None:
            plain = _fields_of_first_format(values)
        fields = {name: from_plain(field) for name, field in plain.items()}
        known = {name: values[name] for name in ("name", "source", "fingerprint", "train")}
        return cls(**known, fields=fields, loading=loading)


def _fields_of_first_format(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the fields of data as runs described them before fields had names."""
    shape, states = data["event_shape"], data.get("states", [])
    kinds: dict[str, dict[str, Any]] = {
        "vectors": {"type": "vector", "columns": data["columns"]},
        "tables": {
            "type": "vector",
            "columns": [
                {"name": name, "type": "category", "states": words}
                for name, words in zip(data["columns"], states, strict=False)
            ],
        },
        "text": {
            "type": "tokens", "vocabulary": data.get("vocabulary", 0), "window": shape[0] - 1
        },
    }  # fmt: skip
    fields = {"x": kinds.get(data["kind"], {})}
    if len(shape) == 3:
        sizes = dict(zip(("channels", "height", "width"), shape, strict=True))
        fields["x"] = {"type": "image", **sizes, "levels": data["levels"]}
    if data["labels"]:
        fields["label"] = {"type": "category", "states": data["labels"]}
    return fields
