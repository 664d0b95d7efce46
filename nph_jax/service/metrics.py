"""What /metrics tells Prometheus."""

from __future__ import annotations

from typing import Any

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

  def watch(self, service: Any) -> None:
    """Adds numbers of a `service.Service`, looked up when asked for."""
    videos = service.extractor
    for name, what, value in (
      ('index_videos', 'Videos in the index.', lambda: len(service.index)),
      (
        'queue_queries',
        'Videos that wait for a batch.',
        lambda: service.hashing.waiting,
      ),
      (
        'in_progress_requests',
        'Searches and additions in progress.',
        lambda: service.room.held,
      ),
      (
        'in_progress_videos',
        'Uploads that wait for a decoder or are in one.',
        lambda: videos.room.held if videos else 0,
      ),
    ):
      gauge = Gauge(f'nph_{name}', what, registry=self.registry)
      gauge.set_function(value)

  def text(self) -> bytes:
    """All of it in Prometheus' text format."""
    return prometheus_client.generate_latest(self.registry)
