"""Tensors and metadata on disk: whole or absent, never half, never silently damaged."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch import Tensor

from ancestral.data.files import file_digest, flush
from ancestral.errors import DamagedFileError, RunError
from ancestral.training.ranks import barrier, is_first
from ancestral.training.spread import gathered

_FORMAT = "1"
_BLANK = "0" * 64
_META = "meta.json"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a safetensors file that carries its own checksum, atomically.

    Until the very last moment the old file, if there is one, stays as it was: the new one is
    written beside it, forced to the disk, and then takes its name. The checksum is the SHA-256
    of the whole file with the checksum's own digits set to zero. Equal tensors and metadata give
    equal files.

    Over several processes all must call it, and rank 0 writes.

    Args:
        path: Where to; its folder must exist.
        tensors: Any dtype that safetensors knows, any strides, also views of one storage, and
            whole or spread over the processes.
        metadata: Anything that JSON can say.

    Raises:
        RunError: If the disk is full, the folder read-only or absent.
    """
    all_of_it = gathered(tensors)
    if not is_first():
        return
    apart = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in all_of_it.items()
    }
    said = json.dumps(dict(metadata), sort_keys=True)
    data = memoryview(save_bytes(apart))
    end = _header_end(data)
    header = _with_words(data[8:end], {"format": _FORMAT, "metadata": said, "sha256": _BLANK})
    digest = _digest(header, data[end:])
    # The digest stands first in a unique spelling: metadata's own quotes are escaped.
    header = header.replace(f'"sha256":"{_BLANK}"'.encode(), f'"sha256":"{digest}"'.encode(), 1)
    _write(Path(path), header, data[end:])


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the metadata that :func:`save_tensors` wrote.

    Raises:
        DamagedFileError: If a single bit differs from what was written.
        RunError: If the file cannot be read, or was written by a newer version.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from error
    words = _verify(path, data)
    if words["format"] != _FORMAT:
        raise RunError(f"{path} has format {words['format']}, this version reads {_FORMAT}")
    return load_bytes(data), json.loads(words["metadata"])


class Checkpoints:
    """The last generations of a run's state, each whole or absent.

    Args:
        folder: Made when the first generation is saved.
        keep: Generations to keep.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     checkpoints = Checkpoints(Path(folder) / "checkpoint")
        ...     checkpoints.save(7, {"w": torch.zeros(2, 3)}, {"seconds": 1.5})
        ...     step, tensors, metadata = checkpoints.latest()
        >>> step, tensors["w"].shape, metadata
        (7, torch.Size([2, 3]), {'seconds': 1.5})
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        if keep < 1:
            raise ValueError(f"keep must be at least 1, got {keep}")
        self.folder, self.keep = Path(folder), keep

    def save(self, step: int, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
        """Write a generation, then remove those that are older than the last ``keep``.

        Over several processes rank 0 does.

        Raises:
            RunError: If it cannot be written; the generations on disk are then untouched.
        """
        if not is_first():
            return
        path = self._path(step)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(path, error) from error
        save_tensors(path, tensors, metadata)
        others = [other for other in self.steps() if other < step]
        for other in others[: max(0, len(others) + 1 - self.keep)]:
            self._path(other).unlink(missing_ok=True)

    def steps(self) -> list[int]:
        """Return the steps of the generations on disk, oldest first."""
        if not self.folder.is_dir():
            return []
        found = (re.fullmatch(r"step-(\d{9,})\.safetensors", p.name) for p in self.folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def latest(self) -> tuple[int, dict[str, Tensor], dict[str, Any]] | None:
        """Return step, tensors and metadata of the newest generation; None if there is none.

        Raises:
            DamagedFileError: If it is damaged; the line names the whole one to go on from.
        """
        steps = self.steps()
        if not steps:
            return None
        try:
            return steps[-1], *load_tensors(self._path(steps[-1]))
        except DamagedFileError as error:
            raise DamagedFileError(f"{error.line}; {self._advice(steps)}") from None

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.safetensors"

    def _advice(self, steps: list[int]) -> str:
        """Return how to go on when the last of the steps is damaged."""
        names = ["it"]
        for older in reversed(steps[:-1]):
            try:
                load_tensors(self._path(older))
            except RunError:
                names.append(self._path(older).name)
            else:
                return f"delete {' and '.join(names)} to go on from step {older}"
        return "no older one is whole"


class SpreadCheckpoints:
    """Generations of which each process writes its own part, by torch's distributed checkpoint.

    A generation is a folder of safetensors and ``meta.json``, which has a checksum for each file;
    it appears whole or not at all. Any number of processes can go on from it.

    Args:
        folder: Made when the first generation is saved; all processes see it.
        keep: Generations to keep.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder, self.keep = Path(folder), keep

    def save(self, step: int, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
        """Write a generation, then remove those that are older; all processes must call it.

        Raises:
            RunError: If it cannot be written; the generations on disk are then untouched.
        """
        from torch.distributed.checkpoint.api import CheckpointException
        from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
        from torch.distributed.checkpoint.state_dict_saver import save

        path = self._path(step)
        draft = path.with_name(f".{path.name}.tmp")
        try:
            if is_first():
                shutil.rmtree(draft, ignore_errors=True)
                draft.mkdir(parents=True)
            barrier()
            writer = HuggingFaceStorageWriter(str(draft), save_distributed=True)
            save(dict(tensors), storage_writer=writer)
            if is_first():
                self._publish(draft, path, metadata)
            barrier()
        except OSError as error:
            raise _cannot_write(path, error) from error
        except CheckpointException as error:
            raise RunError(f"cannot write {path}: {error}") from error

    def _publish(self, draft: Path, path: Path, metadata: Mapping[str, Any]) -> None:
        files = {}
        for file in sorted(draft.iterdir()):
            flush(file)
            files[file.name] = file_digest(file)
        words = {"format": _FORMAT, "files": files, "metadata": dict(metadata)}
        _write(draft / _META, json.dumps(words).encode())
        if path.exists():
            shutil.rmtree(path)
        draft.rename(path)
        flush(path.parent)
        others = [other for other in self.steps() if other < _step_of(path)]
        for other in others[: max(0, len(others) + 1 - self.keep)]:
            shutil.rmtree(self._path(other))

    def steps(self) -> list[int]:
        """Return the steps of the generations on disk, oldest first."""
        return sorted(map(_step_of, self.folder.glob("step-*[0-9]")))

    def load(self, tensors: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Fill the tensors from the newest generation, in place; all processes must call it.

        Args:
            tensors: Whole, or spread over the processes in any way.

        Returns:
            Its metadata; None if there is none.

        Raises:
            DamagedFileError: If it is damaged.
            RunError: If it is of other tensors.
        """
        from torch.distributed.checkpoint.api import CheckpointException
        from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
        from torch.distributed.checkpoint.state_dict_loader import load

        steps = self.steps()
        if not steps:
            return None
        path = self._path(steps[-1])
        try:
            words = json.loads((path / _META).read_text("utf-8"))
            whole = all(file_digest(path / name) == d for name, d in words["files"].items())
        except (OSError, ValueError, KeyError) as error:
            raise DamagedFileError(f"{path} is damaged: {error!r}") from error
        if not whole:
            raise DamagedFileError(f"{path} is damaged: its contents do not match its checksums")
        try:
            load(dict(tensors), storage_reader=HuggingFaceStorageReader(str(path)))
        except (CheckpointException, RuntimeError, ValueError) as error:
            raise RunError(f"{path} is the state of another game: {error}") from error
        return words["metadata"]

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}"


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _with_words(header: bytes | memoryview, words: Mapping[str, str]) -> bytes:
    """Return a safetensors header with its length before it and the words first, in this order.

    The library's own writer puts them in another order each time.
    """
    tensors = json.loads(bytes(header))
    text = json.dumps({"__metadata__": dict(words), **tensors}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _header_end(data: bytes | memoryview) -> int:
    return 8 + int.from_bytes(data[:8], "little")


def _digest(header: bytes, body: bytes | memoryview) -> str:
    found = hashlib.sha256(header)
    found.update(body)
    return found.hexdigest()


def _verify(path: Path, data: bytes) -> dict[str, str]:
    """Return the header's words if the file is what was written."""
    damaged = DamagedFileError(f"{path} is damaged: its contents do not match its checksum")
    end = _header_end(data)
    try:
        header = json.loads(data[8:end])
        words = header["__metadata__"]
        digest = words["sha256"]
        spelling = f'"sha256":"{digest}"'.encode()
    except (ValueError, KeyError, TypeError) as error:
        raise damaged from error
    head = data[:end].replace(spelling, f'"sha256":"{_BLANK}"'.encode(), 1)
    if _digest(head, memoryview(data)[end:]) != digest:
        raise damaged
    return words


def _write(path: Path, *parts: bytes | memoryview) -> None:
    # One fixed name: what a killed process left behind, the next one overwrites.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        try:
            with temporary.open("wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        flush(path.parent)  # The new name itself must survive a power cut.
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot write {path}: {error.strerror}; what was there before is intact")
