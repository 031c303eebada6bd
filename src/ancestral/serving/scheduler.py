"""Who reads next: jobs come and go, and a step moves all that are under way."""

import threading
from collections import deque
from collections.abc import Sequence
from functools import cached_property

from torch import Tensor, nn

from ancestral.autoregressive.decoding.reader import kept, reading
from ancestral.capabilities import LanguageModel, TokenState
from ancestral.errors import ConfigError
from ancestral.serving.groups import MOST, RowGroup, rows_together
from ancestral.serving.jobs import (
    BusyError,
    ClosedError,
    Event,
    Failed,
    Finished,
    Job,
    Listener,
    Load,
    Ticket,
)
from ancestral.serving.prefill import CHUNK, Prefill
from ancestral.serving.rows import Row

ROOM = 2048
"""Tokens of a row of a model without a window."""
LEAST = 16
"""To read fewer tokens than this costs as much."""


class Scheduler:
    """Continuous batching: each step reads a piece of a prompt and a token of each running row.

    A job's tokens do not depend, to the last bit, on what else is under way: prompts are read alone
    in fixed pieces, rows in groups of a fixed number that is measured to keep them apart, each with
    its own settings and chance. A row
    that fills the room of a model with a window is read again from its last ``keep`` tokens on, as
    in :func:`ancestral.autoregressive.generate`.

    Any thread may submit; one calls :meth:`step`.

    Args:
        model: Reads and predicts; dropout is switched off.
        slots: Jobs that can be under way at once, at least 1.
        queue: Jobs that can wait for a slot, at least 0.
        room: Tokens that a row can hold, at most the window; the window, or 2,048, if None.

    Raises:
        ConfigError: If a number is out of its range.
    """

    def __init__(
        self, model: LanguageModel, *, slots: int = 16, queue: int = 64, room: int | None = None
    ) -> None:
        for name, value, least in (("slots", slots, 1), ("queue", queue, 0)):
            if value < least:
                raise ConfigError(f"{name} must be at least {least}, got {value}")
        window = model.window
        if room is not None and not 1 <= room <= (window or room):
            raise ConfigError(f"room must be at least 1 and at most the window, got {room}")
        self._model, self._slots, self._queue = model, slots, queue
        self._room = room or window or ROOM
        if isinstance(model, nn.Module):
            model.eval()
        self._lock = threading.Lock()
        self._accepted = 0
        self._closed = False
        self._waiting: deque[Row] = deque()
        self._running = 0
        self._reading: deque[Row] = deque()
        self._going: list[Row] = []  # Row i is row i % size of group i // size: no holes.
        self._groups: dict[int, RowGroup] = {}
        self._generated = self._read = 0

    @cached_property
    def _size(self) -> int:
        """Rows of a group; measured once, when the first row goes on."""
        return rows_together(self._model, min(self._slots, MOST))

    @property
    def load(self) -> Load:
        """How busy it is; any thread may ask."""
        return Load(
            slots=self._slots,
            running=self._running,
            waiting=len(self._waiting),
            generated=self._generated,
            read=self._read,
        )

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing waits."""
        with self._lock:
            return not self._accepted

    def submit(self, job: Job, listen: Listener) -> Ticket:
        """Accept a job; any thread may.

        Raises BusyError if all slots and all places of the queue are taken; ClosedError if no more
        jobs are taken; DataError if the prompt is empty, too long, or has an unknown token;
        ConfigError if a setting does not fit the model.
        """
        row = Row.of(job, listen, self._model, room=self._room)
        with self._lock:
            if self._closed:
                raise ClosedError("the engine is closing and takes no more jobs")
            if self._accepted >= self._slots + self._queue:
                raise BusyError(
                    f"{self._slots} jobs are under way and {self._queue} wait: try again later"
                )
            self._accepted += 1
            self._waiting.append(row)
        return row.ticket

    def close(self) -> None:
        """Take no more jobs; any thread may."""
        with self._lock:
            self._closed = True

    def fail(self, error: Exception) -> None:
        """End all jobs, waiting or under way, by an error; the thread that calls ``step`` may."""
        with self._lock:
            rows = [*self._waiting, *self._reading, *self._going]
            self._waiting.clear()
            self._accepted = 0
        self._reading.clear()
        self._going.clear()
        self._groups.clear()
        self._running = 0
        for row in rows:
            row.tell(Failed(error))

    def step(self) -> bool:
        """Move everything a little; return whether there is more to do."""
        with reading(self._model):
            with self._lock:
                rows = [*self._waiting, *self._reading, *self._going]
            for row in rows:
                if row.gone:
                    self._end(row)
            self._admit()
            self._read_pieces()
            self._read_tokens()
        return not self.idle

    def _admit(self) -> None:
        """Give the free slots to those that wait longest."""
        while self._running < self._slots:
            with self._lock:
                if not self._waiting:
                    return
                row = self._waiting.popleft()
            row.admitted = True
            self._running += 1
            self._prefill(row, row.job.prompt, scores=row.job.score_prompt)

    def _prefill(self, row: Row, tokens: Sequence[int], *, scores: bool = False) -> None:
        """Let the tokens of a row be read anew, piece by piece."""
        try:
            row.begin(self._model, tokens, scores=scores)
        except Exception as error:
            self._end(row, Failed(error))
        else:
            self._reading.append(row)

    def _read_pieces(self) -> None:
        """Read a piece of a prompt, or of several short ones; they take turns."""
        budget = CHUNK
        while self._reading and budget > 0:
            row = self._reading[0]
            self._reading.rotate(-1)
            assert row.prefill is not None
            try:
                read = row.prefill.read()
                if row.prefill.done:
                    self._begin(row, row.prefill)
            except Exception as error:
                self._end(row, Failed(error))
                return
            self._read += read
            budget -= max(read, LEAST)

    def _begin(self, row: Row, prefill: Prefill) -> None:
        """Go on from what was read, or end."""
        self._reading.remove(row)
        row.prefill, row.held = None, int(prefill.state.lengths[0])
        if prefill.scores is not None:
            row.tell(prefill.scores)
        if row.text is None:
            self._end(row, Finished())
        elif self._choose(row, prefill.logits()):
            self._place(row, prefill.state)

    def _place(self, row: Row, state: TokenState) -> None:
        """Let a row go on from a state, beside those that go on already."""
        self._put(len(self._going), state)
        self._going.append(row)

    def _put(self, place: int, state: TokenState) -> None:
        number, at = divmod(place, self._size)
        if number not in self._groups:
            self._groups[number] = RowGroup(self._model, self._size, room=self._room)
        self._groups[number].put(at, state)

    def _read_tokens(self) -> None:
        """Read the last token of each row that goes on, and choose the next."""
        chosen: list[tuple[Row, Tensor | Exception]] = []
        for start in range(0, len(self._going), self._size):
            rows = self._going[start : start + self._size]
            try:
                logits = self._groups[start // self._size].read([row.last for row in rows])
            except Exception as error:
                # Nobody knows what the group holds now.
                del self._groups[start // self._size]
                chosen += [(row, error) for row in rows]
            else:
                chosen += zip(rows, logits, strict=True)
        for row, found in chosen:
            row.held += 1
            if isinstance(found, Exception):
                self._end(row, Failed(found))
            else:
                self._choose(row, found)

    def _choose(self, row: Row, logits: Tensor) -> bool:
        """Choose the next token of a row; return whether it can be read into its state."""
        assert row.text is not None
        try:
            choice = row.text.choose(logits)
        except Exception as error:
            self._end(row, Failed(error))
            return False
        self._generated += 1
        row.tell(choice)
        if choice.reason is not None:
            self._end(row, Finished())
            return False
        if row.held == self._room:
            self._leave(row)
            keep = kept(self._room, row.job.decoding.keep)
            self._prefill(row, row.text.history.tokens[-keep - 1 :])
            return False
        return True

    def _leave(self, row: Row) -> None:
        """Take a row out of its group, if it is in one; the last row gets its place."""
        if row not in self._going:
            return
        place, last = self._going.index(row), self._going.pop()
        number, at = divmod(len(self._going), self._size)
        group = self._groups.get(number)
        if last is not row:
            self._going[place] = last
            if group is not None:
                self._put(place, group.take(at))
        if group is not None:
            group.clear(at)

    def _end(self, row: Row, event: Event | None = None) -> None:
        """Tell the last event of a job, and free its slot."""
        if event is not None:
            row.tell(event)
        self._leave(row)
        row.prefill = None
        if row in self._reading:
            self._reading.remove(row)
        self._running -= row.admitted
        with self._lock:
            if not row.admitted:
                self._waiting.remove(row)
            self._accepted -= 1
