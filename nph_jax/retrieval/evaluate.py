"""The command: scores packed codes from the shell, whoever made them.

python -m nph_jax.retrieval.evaluate --query_codes=A.npy --query_labels=B \
  --database_codes=C.npy --database_labels=D [--query_relaxed=T.npy] \
  [--exclude_self] [--out=FILE]
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from nph_jax import atomic, errors
from nph_jax.data import labels as labels_lib
from nph_jax.retrieval import code_files, evaluation, report


@dataclasses.dataclass(frozen=True)
class _Split:
  """One side's codes (N, P) uint8 and labels (N, number of labels)."""

  codes_path: str
  labels_path: str
  codes: np.ndarray
  labels: np.ndarray


def _read_split(codes_path: str, labels_path: str) -> _Split:
  codes = code_files.read_codes(codes_path)
  labels = labels_lib.read_labels([labels_path])
  if len(labels) != len(codes):
    raise errors.UserError(
      f'{labels_path}: {len(labels)} rows of labels for the {len(codes)} codes '
      f'of {codes_path}; expected one row for each code, in the same order.'
    )
  return _Split(codes_path, labels_path, codes, labels)


def _check_pair(query: _Split, database: _Split, exclude_self: bool) -> None:
  bits, database_bits = 8 * query.codes.shape[1], 8 * database.codes.shape[1]
  if bits != database_bits:
    raise errors.UserError(
      f'{query.codes_path}: codes of {bits} bits, but those of '
      f'{database.codes_path} have {database_bits}; both must come from the '
      'same model.'
    )
  width, database_width = query.labels.shape[1], database.labels.shape[1]
  if width != database_width:
    raise errors.UserError(
      f'{query.labels_path}: {width} label columns, but '
      f'{database.labels_path} has {database_width}; expected the same labels '
      'in the same order.'
    )
  if exclude_self and len(query.codes) != len(database.codes):
    raise errors.UserError(
      f'{query.codes_path}: {len(query.codes)} codes, but '
      f'{database.codes_path} has {len(database.codes)}; --exclude_self is for '
      'queries and database of the same rows, so leave it out or give the '
      'same files.'
    )


def _result(scored: evaluation.Evaluation, num_bits: int) -> dict[str, Any]:
  """The JSON of `--out`; `map` and `splits` as in a workdir's metrics.json."""
  return {
    'num_bits': num_bits,
    'splits': {'query': scored.num_queries, 'database': scored.num_database},
    'queries_without_relevant': scored.queries_without_relevant,
    'map': scored.map,
    'pr_curve': scored.pr_curve,
  }


def _write(path: str, result: dict[str, Any]) -> None:
  try:
    atomic.write_json(path, result)
  except OSError as error:
    raise errors.UserError(
      f'{path}: cannot be written ({error.strerror}); give --out a file in a '
      'directory that you may write to.'
    ) from error


def _parser() -> argparse.ArgumentParser:
  parser = errors.Parser(
    prog='python -m nph_jax.retrieval.evaluate',
    description='mAP@K and precision-recall of packed codes.',
    allow_abbrev=False,
  )
  codes = 'packed codes, .npy, uint8 (videos, bits / 8)'
  labels = 'multi-hot labels, .npy or .mat, (videos, labels)'
  parser.add_argument('--query_codes', required=True, help=codes)
  parser.add_argument('--query_labels', required=True, help=labels)
  parser.add_argument(
    '--query_relaxed',
    help="the queries' real-valued t, .npy (videos, bits): scores the "
    'asymmetric ranking by t . b as well',
  )
  parser.add_argument('--database_codes', required=True, help=codes)
  parser.add_argument('--database_labels', required=True, help=labels)
  parser.add_argument(
    '--exclude_self',
    action='store_true',
    help='query and database are the same rows: score without self as well',
  )
  parser.add_argument('--out', help='JSON file for the results')
  return parser


def main(argv: Sequence[str] | None = None) -> None:
  """Reads, scores, prints the table, writes `--out`.

  Raises:
    UserError: any bad flag or file.
  """
  flags = _parser().parse_args(argv)
  query = _read_split(flags.query_codes, flags.query_labels)
  database = _read_split(flags.database_codes, flags.database_labels)
  _check_pair(query, database, flags.exclude_self)
  relaxed = None
  if flags.query_relaxed is not None:
    relaxed = code_files.read_relaxed(
      flags.query_relaxed, query.codes, query.codes_path
    )
  scored = evaluation.evaluate_codes(
    query.codes,
    query.labels,
    database.codes,
    database.labels,
    query_relaxed=relaxed,
    self_rows=np.arange(len(query.codes)) if flags.exclude_self else None,
  )
  num_bits = 8 * query.codes.shape[1]
  if flags.out:
    _write(flags.out, _result(scored, num_bits))
  print(report.summary(scored, num_bits))
  print(report.metrics_table(scored.map))


if __name__ == '__main__':
  errors.run_main(main)
