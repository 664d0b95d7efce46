"""What /metrics tells Prometheus."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5, 10, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
  """The counters of one service."""

  def __init__(self) -> None:
    self.registry = CollectorRegistry()
    names = ('method', 'route')
    self.requests = Counter(
      'nph_requests',
      'Requests answered.',
      (*names, 'status'),
      registry=self.registry,
    )
    self.seconds = Histogram(
      'nph_request_seconds',
      'Seconds from a request to the end of its answer.',
      names,
      buckets=_SECONDS,
      registry=self.registry,
    )
    self.batch_sizes = Histogram(
      'nph_batch_size',
      'Videos hashed, and queries searched, together.',
      ('step',),
      buckets=_SIZES,
      registry=self.registry,
    )
    self.replaced = Counter(
      'nph_decoders_replaced',
      'Decoding processes that had to be replaced, by reason.',
      ('reason',),
      registry=self.registry,
    )

  def gauge(self, name: str, what: str, value: Callable[[], float]) -> None:
    """Adds a number that is looked up whenever it is asked for."""
    Gauge(name, what, registry=self.registry).set_function(value)

  def text(self) -> bytes:
    """All of it in Prometheus' text format."""
    return prometheus_client.generate_latest(self.registry)
