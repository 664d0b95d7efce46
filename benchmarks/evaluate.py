"""Scoring 64-bit codes against themselves, as FCVID's protocol has it."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks import fresh, measuring

COUNTS = (1_000, 10_000, 45_600)
_QUICK_COUNTS = (50, 100)
_BITS, _LABELS = 64, 239  # FCVID's


def run(quick: bool) -> dict[str, Any]:
  """Seconds and peak memory by the number of codes, and their growth."""
  counts = _QUICK_COUNTS if quick else COUNTS
  results = [
    fresh.call('benchmarks.evaluate:score', num_codes=number)
    for number in counts
  ]
  seconds = [result['seconds'] for result in results]
  return {
    'num_codes': list(counts),
    'num_bits': _BITS,
    'seconds': seconds,
    'peak_bytes': [result['peak_bytes'] for result in results],
    'slope': measuring.slope(counts, seconds),
  }


def score(num_codes: int) -> dict[str, Any]:
  """Every metric under every protocol, each query with and without itself.

  Random codes: the hardest case, as almost all videos tie with many others.
  """
  from nph_jax.retrieval import evaluation

  rng = np.random.default_rng(0)
  codes = rng.integers(0, 256, (num_codes, _BITS // 8), np.uint8)
  labels = np.eye(_LABELS, dtype=np.uint8)[rng.integers(0, _LABELS, num_codes)]

  def program():
    evaluation.evaluate_codes(
      codes, labels, codes, labels, self_rows=np.arange(num_codes)
    )

  return {'seconds': measuring.seconds(program)}
