"""What is measured of a trained cell, as plain JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments import settings
from nph_jax.retrieval import evaluation
from nph_jax.stages.evaluating import EncodedSplit

_DIGITS = 5
_PR_POINTS = 32


def protocol(row: dict[str, Any]) -> str:
  """A protocol's short name, such as 'min_rk,expected'; its ranking apart."""
  name = f'{row["denominator"]},{row["ties"]}'
  return f'{name},exclude_self' if row['exclude_self'] else name


def by_protocol(
  rows: Sequence[dict[str, Any]], **chosen: Any
) -> dict[str, dict[str, float]]:
  """Evaluation's rows as {protocol: {K: mAP@K}}, those with `chosen` values."""
  table: dict[str, dict[str, float]] = {}
  for row in rows:
    if chosen.items() <= row.items():
      value = round(row['value'], _DIGITS)
      table.setdefault(protocol(row), {})[str(row['k'])] = value
  return table


def thinned(curve: Sequence[dict[str, Any]]) -> dict[str, list]:
  """A precision-recall curve at some 32 evenly spaced Hamming radii.

  Radii 0 and K are among them, and the same ones for all codes of K bits, so
  that curves of several seeds have a mean. Self is kept.

  Args:
    curve: rows {radius, precision, recall, exclude_self}.
  """
  rows = [row for row in curve if not row['exclude_self']]
  stride = max(1, (len(rows) - 1) // _PR_POINTS)
  kept = rows[::stride]
  if rows and kept[-1] is not rows[-1]:
    kept.append(rows[-1])
  numbers = lambda name: [round(row[name], _DIGITS) for row in kept]  # noqa: E731
  return {
    'radius': [row['radius'] for row in kept],
    'precision': numbers('precision'),
    'recall': numbers('recall'),
  }


def bit_statistics(codes: np.ndarray) -> dict[str, Any]:
  """How much of a code's capacity is used.

  Args:
    codes: packed, [N, P].

  Returns:
    bit_entropy: the mean over bits of the entropy of a bit's value, 1 for
      balanced ones; bit_correlation: the mean absolute correlation between
      different bits, constant ones left out; distinct_codes.
  """
  bits = np.unpackbits(codes, axis=1).astype(np.float64)
  share = np.clip(bits.mean(axis=0), 1e-12, 1 - 1e-12)
  entropy = -(share * np.log2(share) + (1 - share) * np.log2(1 - share))
  varying = bits[:, bits.std(axis=0) > 0]
  correlation = 0.0
  if varying.shape[1] > 1:
    matrix = np.abs(np.corrcoef(varying.T))
    correlation = matrix[np.triu_indices(len(matrix), 1)].mean()
  return {
    'bit_entropy': round(float(entropy.mean()), _DIGITS),
    'bit_correlation': round(float(correlation), _DIGITS),
    'distinct_codes': len(np.unique(codes, axis=0)),
  }


def of_codes(
  query: EncodedSplit,
  database: EncodedSplit,
  self_rows: np.ndarray,
  ks: Sequence[int],
) -> dict[str, Any]:
  """All that is measured of a hashing method.

  Args:
    query: Q videos.
    database: N videos.
    self_rows: each query's own row in the database, -1 for none [Q].
    ks: values of K.
  """
  q, d = query, database
  scored = evaluation.evaluate_codes(
    q.codes,
    q.labels,
    d.codes,
    d.labels,
    query_relaxed=q.relaxed,
    ks=ks,
    self_rows=self_rows,
  )
  relaxed = evaluation.evaluate_vectors(
    q.relaxed, q.labels, d.relaxed, d.labels, ks=ks, self_rows=self_rows
  )
  return {
    'map': by_protocol(scored.map, ranking='hamming'),
    'map_asymmetric': by_protocol(
      scored.map, ranking='asymmetric', ties='expected'
    ),
    'map_all_against_all': _all_against_all(q, d, self_rows, ks),
    'map_relaxed': by_protocol(relaxed.map, ties='expected'),
    'pr_curve': thinned(scored.pr_curve),
    **bit_statistics(np.concatenate([q.codes, d.codes])),
  }


def _all_against_all(
  query: EncodedSplit,
  database: EncodedSplit,
  self_rows: np.ndarray,
  ks: Sequence[int],
) -> dict[str, dict[str, float]]:
  """Queries and database both as both, self excluded; {} for large sets.

  Less noise than a few queries give.
  """
  total = len(query.codes) + len(database.codes)
  if np.any(self_rows >= 0) or total > settings.ALL_AGAINST_ALL:
    return {}
  codes = np.concatenate([query.codes, database.codes])
  labels = np.concatenate([query.labels, database.labels])
  scored = evaluation.evaluate_codes(
    codes, labels, codes, labels, ks=ks, self_rows=np.arange(total)
  )
  return by_protocol(scored.map, exclude_self=True)


def of_random_codes(
  num_bits: int,
  query_labels: np.ndarray,
  database_labels: np.ndarray,
  ks: Sequence[int],
  seed: int,
) -> dict[str, Any]:
  """Random codes: the mean over settings.RANDOM_DRAWS draws."""
  rng = np.random.default_rng(seed)
  draws = []
  for _ in range(settings.RANDOM_DRAWS):
    codes = [
      rng.integers(0, 256, (len(x), num_bits // 8), np.uint8)
      for x in (query_labels, database_labels)
    ]
    draws.append(
      evaluation.evaluate_codes(
        codes[0], query_labels, codes[1], database_labels, ks=ks
      ).map
    )
  rows = [
    {**same[0], 'value': float(np.mean([row['value'] for row in same]))}
    for same in zip(*draws)
  ]
  return {'map': by_protocol(rows)}
