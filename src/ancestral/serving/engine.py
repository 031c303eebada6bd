"""One thread that owns a model and continues what others ask of it."""

import threading

from ancestral.capabilities import LanguageModel
from ancestral.serving.jobs import ClosedError, Job, Listener, Load, Ticket
from ancestral.serving.scheduler import Scheduler


class Engine:
    """A model that many threads ask: jobs are continued side by side.

    Arguments and errors are those of :class:`Scheduler`; nobody else may use the model until the
    engine is closed.
    """

    def __init__(
        self, model: LanguageModel, *, slots: int = 16, queue: int = 64, room: int | None = None
    ) -> None:
        self._scheduler = Scheduler(model, slots=slots, queue=queue, room=room)
        self._work = threading.Condition()
        self._closing = self._stopped = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def load(self) -> Load:
        """How busy it is, and what it has done."""
        return self._scheduler.load

    def submit(self, job: Job, listen: Listener) -> Ticket:
        """Accept a job, and return at once; errors as of :meth:`Scheduler.submit`.

        ``listen`` is told the job's events, in the engine's thread: it must not block.
        """
        ticket = self._scheduler.submit(job, listen)
        with self._work:
            self._work.notify()
        return ticket

    def close(self, *, timeout: float) -> bool:
        """Take no more jobs, finish what was accepted, and end the thread.

        Jobs that are left after ``timeout`` seconds fail with a :class:`ClosedError`; return
        whether all ended by themselves.
        """
        self._scheduler.close()
        with self._work:
            self._closing = True
            self._work.notify()
        self._thread.join(timeout)
        ended = not self._thread.is_alive()
        self._stopped = True
        self._thread.join()
        return ended

    def _run(self) -> None:
        while True:
            with self._work:
                while self._scheduler.idle and not self._closing:
                    self._work.wait()
            if self._stopped:
                self._scheduler.fail(ClosedError("the engine was closed before the job was done"))
            if self._scheduler.idle:
                return
            try:
                self._scheduler.step()
            except Exception as error:  # A fault of ours: nobody shall wait for ever.
                self._scheduler.fail(error)
