"""Evaluation results for people: tables, the precision-recall file and plot."""

from __future__ import annotations

import csv
import io
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from nph_jax import atomic
from nph_jax.retrieval import evaluation

_DENOMINATORS = {'min_rk': 'min(R, K)', 'k': 'K'}
_SELF = {False: 'kept', True: 'excluded'}


def metrics_table(map_rows: Sequence[Mapping[str, Any]]) -> str:
  """A Markdown table of mAP@K, a line for each protocol, that reads as text.

  Args:
    map_rows: those of `evaluation.Evaluation.map`; without `ranking`, as
      metrics.json had them once, Hamming.
  """
  ks = sorted({row['k'] for row in map_rows})
  lines: dict[tuple[str, ...], dict[int, str]] = {}
  for row in map_rows:
    protocol = (
      row.get('ranking', 'hamming'),
      _DENOMINATORS[row['denominator']],
      row['ties'],
      _SELF[row['exclude_self']],
    )
    lines.setdefault(protocol, {})[row['k']] = f'{row["value"]:.4f}'
  protocol_names = ['ranking', 'denominator', 'ties', 'self match']
  header = [*protocol_names, *(f'mAP@{k}' for k in ks)]
  body = [
    [*protocol, *(values.get(k, '') for k in ks)]
    for protocol, values in lines.items()
  ]
  return markdown([header, *body])


def markdown(rows: Sequence[Sequence[str]]) -> str:
  """A table of a header and rows, that reads as text."""
  widths = [max(map(len, column)) for column in zip(*rows)]
  header, *body = [
    '| ' + ' | '.join(map(str.ljust, row, widths)) + ' |' for row in rows
  ]
  rule = '| ' + ' | '.join('-' * width for width in widths) + ' |'
  return '\n'.join([header, rule, *body])


def summary(scored: evaluation.Evaluation, num_bits: int) -> str:
  """One line on what was ranked against what, and what counts as relevant."""
  line = (
    f'{scored.num_queries} queries against {scored.num_database} videos, '
    f'{num_bits} bits; relevant: shares a label.'
  )
  if scored.num_database < max(evaluation.KS):
    line += f' No mAP@K for K above {scored.num_database}, the database.'
  if not scored.queries_without_relevant:
    return line
  return f'{line} Without relevant videos: {scored.queries_without_relevant}.'


def write_pr_curve(
  directory: str | os.PathLike[str],
  pr_curve: Sequence[Mapping[str, Any]],
  title: str = '',
) -> None:
  """Writes `pr_curve.csv` and `pr_curve.png` into `directory`, atomically.

  Args:
    directory: made if it is not there.
    pr_curve: rows {radius, precision, recall, exclude_self}.
    title: of the plot: data set, method, bits.

  Raises:
    UserError: the disk is full.
  """
  directory = pathlib.Path(directory)
  text = io.StringIO()
  fields = ['radius', 'precision', 'recall', 'exclude_self']
  writer = csv.DictWriter(text, fields, lineterminator='\n')
  writer.writeheader()
  writer.writerows(pr_curve)
  atomic.write_text(directory / 'pr_curve.csv', text.getvalue())
  _plot(directory / 'pr_curve.png', pr_curve, title)


def _plot(
  path: pathlib.Path, pr_curve: Sequence[Mapping[str, Any]], title: str
) -> None:
  # Here, not above: half a second that no other use of this module needs. A
  # bare Figure draws with Agg and touches no global state or display.
  from matplotlib import figure

  plot = figure.Figure(figsize=(5, 4), layout='constrained')
  axes = plot.add_subplot(
    xlabel='recall', ylabel='precision', xlim=(0, 1), ylim=(0, 1), title=title
  )
  for exclude_self in sorted({row['exclude_self'] for row in pr_curve}):
    curve = [row for row in pr_curve if row['exclude_self'] == exclude_self]
    axes.plot(
      [row['recall'] for row in curve],
      [row['precision'] for row in curve],
      marker='.',
      label=f'self {_SELF[exclude_self]}',
    )
  axes.grid(alpha=0.3)
  axes.legend()
  with atomic.replacing(path) as temporary:
    plot.savefig(temporary, dpi=150)
