"""What is counted and timed, in the format of Prometheus."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ancestral.serving.engine import Engine

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one server, and the load of its engine."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_LoadCollector(engine))
        self._requests = Counter(
            "ancestral_requests",
            "Requests by path and status.",
            ("path", "status"),
            registry=self._registry,
        )
        self.first_token = Histogram(
            "ancestral_time_to_first_token_seconds",
            "From a request to the first token of a text, waiting included.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._token = Histogram(
            "ancestral_time_per_token_seconds",
            "Mean time between two tokens of a text.",
            buckets=_SECONDS,
            registry=self._registry,
        )

    def answered(self, path: str, status: int) -> None:
        """Count a request."""
        self._requests.labels(path, str(status)).inc()

    def ended(self, *, tokens: int, seconds: float) -> None:
        """Take the time of a text that has ended, from its first token to its last."""
        if tokens > 1:
            self._token.observe(seconds / (tokens - 1))

    def text(self) -> bytes:
        """Return all of them as Prometheus reads them."""
        return generate_latest(self._registry)


class _LoadCollector(Collector):
    """Reads the load of an engine when it is asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        """Yield what the engine tells."""
        load = self._engine.load
        for name, text, value in (
            ("slots", "Texts that can be written side by side.", load.slots),
            ("slots_in_use", "Texts that are being written.", load.running),
            ("queue", "Texts that wait for a slot.", load.waiting),
        ):
            yield GaugeMetricFamily(f"ancestral_{name}", text, value=value)
        for name, text, value in (
            ("prompt_tokens", "Tokens of prompts that were read.", load.read),
            ("generated_tokens", "Tokens that were generated.", load.generated),
        ):
            yield CounterMetricFamily(f"ancestral_{name}", text, value=value)
