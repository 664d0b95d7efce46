"""Tables 1 to 3 beside the paper's, and the anchors sweep, as Markdown pages.

A page is '' while there are no results for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from experiments import paper, settings
from experiments.records import (
  Record,
  Results,
  map_at,
  markdown,
  name_of,
  origin,
  spread,
)

TRANSFERS = {
  'table1_unseen': ('Table 1: unseen classes', paper.UNSEEN),
  'table2_train25': ('Table 2: trained on train25 as well', paper.TRAIN25),
}
# What the paper's columns are of.
_PAPER = (
  "The paper's columns are FCVID's; like all published numbers they probably "
  'divide by K and keep self, ours divide by min(R, K).'
)


def ablation_page(sets: Mapping[str, Results]) -> str:
  """Table 3 for every data set, and the paper's beside it."""
  parts = ['# Table 3: the ablations', _PAPER]
  for name, results in sets.items():
    for bits in settings.ABLATION_BITS:
      if any(results.of(m, bits) for m in settings.ABLATIONS):
        parts += [
          f'## {name}, {bits} bits',
          _ablation(results, bits),
          _ordering(results, bits),
        ]
  return '\n\n'.join(parts) + '\n' if len(parts) > 2 else ''


def _ablation(results: Results, bits: int) -> str:
  published = paper.ABLATION[bits]
  ks = tuple(next(iter(published.values())))
  rows = [
    [
      name_of(method),
      *(spread([map_at(r, k) for r in results.of(method, bits)]) for k in ks),
      *(spread([published[method][k]]) for k in ks),
    ]
    for method in settings.ABLATIONS
  ]
  header = ['', *(f'@{k}' for k in ks), *(f'paper, FCVID @{k}' for k in ks)]
  return markdown(header, rows)


def _ordering(results: Results, bits: int) -> str:
  """How far the order of the methods is the paper's."""
  from scipy import stats

  ours, published = {}, {}
  for method in settings.ABLATIONS:
    found = [map_at(r, settings.SUMMARY_K) for r in results.of(method, bits)]
    if found:
      ours[method] = np.mean(found)
      published[method] = paper.ABLATION[bits][method][settings.SUMMARY_K]
  order = ' > '.join(map(name_of, sorted(ours, key=ours.get, reverse=True)))
  line = f'Order at mAP@{settings.SUMMARY_K}: {order}.'
  if len(ours) < 3:
    return line
  tau = stats.kendalltau(list(ours.values()), list(published.values()))
  return f"{line} Kendall's tau with the paper's order: {tau.statistic:.2f}."


def transfer_page(experiment: str, sets: Mapping[str, Results]) -> str:
  """Table 1 or 2 for every data set, and the paper's beside it."""
  title, published = TRANSFERS[experiment]
  ks = tuple(next(iter(published.values())))
  header = ['', *(f'@{k}' for k in ks), *(f'paper, FCVID @{k}' for k in ks)]
  parts = [f'# {title}', _PAPER]
  for name, results in sets.items():
    parts += [f'{name}: {origin(results)}']
    for bits in results.bits():
      rows = [
        [
          name_of(m),
          *(spread([map_at(r, k) for r in results.of(m, bits)]) for k in ks),
          *(spread([published[m][k]] if m in published else []) for k in ks),
        ]
        for m in results.methods
      ]
      parts += [f'## {name}, {bits} bits', markdown(header, rows)]
  return '\n\n'.join(parts) + '\n' if len(parts) > 2 else ''


def sweep_page(sets: Mapping[str, Results]) -> str:
  """The anchors sweep: a row for each data set, N and n."""
  header = [
    '', 'bits', 'N', 'n', 'a', 'density of S', 'mean degree',
    'pairs of one class', f'mAP@{settings.SUMMARY_K}',
  ]  # fmt: skip
  rows = []
  for name, results in sets.items():
    dataset = name.rpartition('-N')[0]
    for method in results.methods:
      for bits in results.bits():
        records = [r for r in results.of(method, bits) if r['graph']]
        if records:
          rows.append([dataset, method, bits, records])
  rows.sort(key=lambda r: (r[:3], _size(r[3][0])))
  body = [
    [f'{dataset}, {name_of(method)}', str(bits), *_sweep_row(records)]
    for dataset, method, bits, records in rows
  ]
  if not body:
    return ''
  return f'# Anchors n against videos N\n\n{markdown(header, body)}\n'


def _size(record: Record) -> tuple[int, int]:
  return record['videos']['train'], record['graph']['num_anchors']


def _sweep_row(records: Sequence[Record]) -> list[str]:
  videos, anchors = _size(records[0])
  graphs = [r['graph'] for r in records]
  return [
    str(videos),
    str(anchors),
    str(graphs[0]['num_nearest']),
    spread([g['pair_density'] for g in graphs], 4),
    f'{np.mean([g["mean_degree"] for g in graphs]):.1f}',
    spread([g['precision'] for g in graphs], 2),
    spread([map_at(r, settings.SUMMARY_K) for r in records]),
  ]
