"""Tables 1 to 3 beside the paper's; anchors sweep, refinement, re-ranking.

A page is '' while there are no results for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from experiments import paper, records, settings

TRANSFERS = {
  'table1_unseen': ('Table 1: unseen classes', paper.UNSEEN),
  'table2_train25': ('Table 2: trained on train25 as well', paper.TRAIN25),
}
# What the paper's columns are of.
_PAPER = (
  'Each first table divides AP by min(R, K); the second by K, as the published '
  "numbers probably do, beside the paper's of FCVID. Both keep self."
)

_RERANKING = (
  f'mAP@{settings.SUMMARY_K} (min_rk) of the nearest {settings.SUMMARY_K}: by '
  'Hamming distance '
  '(-), and with the nearest R ordered by the cosine of t. Videos in the order '
  'of the search: here ties are by row.'
)


def ablation_page(sets: Mapping[str, records.Results]) -> str:
  """Table 3 for every data set, and the paper's beside it."""
  parts = []
  for name, results in sets.items():
    for bits in settings.ABLATION_BITS:
      if any(results.of(m, bits) for m in settings.ABLATIONS):
        parts += [
          f'## {name}, {bits} bits',
          _beside_paper(
            results, bits, settings.ABLATIONS, paper.ABLATION[bits]
          ),
          _ordering(results, bits),
        ]
  return records.page('# Table 3: the ablations', _PAPER, parts)


def _beside_paper(
  results: records.Results,
  bits: int,
  methods: Iterable[str],
  published: Mapping[str, Mapping[int, float]],
) -> str:
  """mAP@K of `methods`; then divided by K, and `published` beside it."""
  ks = tuple(next(iter(published.values())))
  ours = [results.row(m, bits, ks) for m in methods]
  header = ['min(R, K)', *(f'@{k}' for k in ks)]
  both = beside(results, bits, methods, published, 'paper, FCVID')
  return f'{records.markdown(header, ours)}\n\n{both}'


def beside(
  results: records.Results,
  bits: int,
  methods: Iterable[str],
  published: Mapping[str, Mapping[int, float]],
  whose: str,
) -> str:
  """mAP@K divided by K: ours and the published, where it is known."""
  ks = sorted({k for values in published.values() for k in values})
  rows = [
    results.row(m, bits, ks, records.OVER_K)
    + [records.spread([published[m].get(k)]) for k in ks]
    for m in methods
    if m in published
  ]
  columns = [f'@{k}' for k in ks]
  return records.markdown(
    ['K', *columns, *(f'{whose} {c}' for c in columns)], rows
  )


def _ordering(results: records.Results, bits: int) -> str:
  """How far the order of the methods is the paper's."""
  from scipy import stats

  ours, published = {}, {}
  for method in settings.ABLATIONS:
    found = [
      records.map_at(r, settings.SUMMARY_K) for r in results.of(method, bits)
    ]
    if found:
      ours[method] = np.mean(found)
      published[method] = paper.ABLATION[bits][method][settings.SUMMARY_K]
  order = ' > '.join(
    map(paper.display_name, sorted(ours, key=ours.get, reverse=True))
  )
  line = f'Order at mAP@{settings.SUMMARY_K}: {order}.'
  if len(ours) < len(settings.ABLATIONS):
    return line
  tau = stats.kendalltau(list(ours.values()), list(published.values()))
  return f"{line} Kendall's tau with the paper's order: {tau.statistic:.2f}."


def transfer_page(experiment: str, sets: Mapping[str, records.Results]) -> str:
  """Table 1 or 2 for every data set, and the paper's beside it."""
  title, published = TRANSFERS[experiment]
  parts = []
  for name, results in sets.items():
    parts += [f'{name}: {records.origin(results)}']
    for bits in results.bits():
      parts += [
        f'## {name}, {bits} bits',
        _beside_paper(results, bits, results.methods, published),
      ]
  return records.page(f'# {title}', _PAPER, parts)


def sweep_page(sets: Mapping[str, records.Results]) -> str:
  """The anchors sweep: a row for each data set, N and n."""
  header = [
    '', 'bits', 'N', 'n', 'a', 'density of S', 'mean degree',
    'pairs of one class', f'mAP@{settings.SUMMARY_K}',
  ]  # fmt: skip
  rows = []
  for name, results in sets.items():
    dataset = name.rpartition('-N')[0]
    for method, bits, group in results.groups():
      if group := [r for r in group if r['graph']]:
        rows.append([dataset, method, bits, group])
  rows.sort(key=lambda r: (r[:3], _size(r[3][0])))
  body = [
    [f'{dataset}, {paper.display_name(method)}', str(bits), *_sweep_row(group)]
    for dataset, method, bits, group in rows
  ]
  table = [records.markdown(header, body)] if body else []
  return records.page('# Anchors n against videos N', '', table)


def _size(record: records.Record) -> tuple[int, int]:
  return record['videos']['train'], record['graph']['num_anchors']


def _sweep_row(group: Sequence[records.Record]) -> list[str]:
  videos, anchors = _size(group[0])
  graphs = [r['graph'] for r in group]
  return [
    str(videos),
    str(anchors),
    str(graphs[0]['num_nearest']),
    records.spread([g['pair_density'] for g in graphs], 4),
    f'{np.mean([g["mean_degree"] for g in graphs]):.1f}',
    records.spread([g['precision'] for g in graphs], 2),
    records.spread([records.map_at(r, settings.SUMMARY_K) for r in group]),
  ]


def refinement_page(sets: Mapping[str, records.Results]) -> str:
  """Alternating refinement: for each data set, a row for method and round."""
  rounds: dict[str, list[tuple[int, records.Results]]] = {}
  for name, results in sets.items():
    dataset, _, number = name.rpartition('-round')
    rounds.setdefault(dataset, []).append((int(number), results))
  parts = []
  for dataset, found in rounds.items():
    every = records.Results(r for _, results in found for r in results.all())
    parts += [f'{dataset}: {records.origin(every)}', _rounds(sorted(found))]
  return records.page('# Alternating refinement', '', parts)


def _rounds(found: Sequence[tuple[int, records.Results]]) -> str:
  k = settings.SUMMARY_K
  header = [
    '', 'bits', 'round', 'n', 'density of S', 'pairs of one class',
    f'mAP@{k}', f'mAP@{k} of t',
  ]  # fmt: skip
  groups = [
    (method, bits, number, group)
    for number, results in found
    for method, bits, group in results.groups()
  ]
  rows = [
    [paper.display_name(method), str(bits), str(number), *_round(group)]
    for method, bits, number, group in sorted(groups, key=lambda g: g[:3])
  ]
  return records.markdown(header, rows)


def _round(group: Sequence[records.Record]) -> list[str]:
  graphs = [r['graph'] for r in group if r['graph']]
  anchors = sorted({g['num_anchors'] for g in graphs})
  maps = [
    [records.map_at(r, settings.SUMMARY_K, part) for r in group]
    for part in ('map', 'map_relaxed')
  ]
  return [
    '/'.join(map(str, anchors)) or '-',
    records.spread([g['pair_density'] for g in graphs], 4),
    records.spread([g['precision'] for g in graphs], 2),
    *map(records.spread, maps),
  ]


def reranking_page(sets: Mapping[str, records.Results]) -> str:
  """mAP@K by how many of the nearest t orders, and what that costs."""
  parts = []
  for name, results in sets.items():
    groups = list(results.groups())
    depths = list(groups[0][2][0]['reranking'])
    header = ['', 'bits', *(f'R = {d}' if d != '0' else '-' for d in depths)]
    rows = [
      [paper.display_name(method), str(bits), *_by_depth(group, depths, 'map')]
      for method, bits, group in groups
    ]
    times = _by_depth(results.all(), depths, 'milliseconds')
    rows.append(['ms a query, median', '', *times])
    parts += [f'{name}: {records.origin(results)}']
    parts += [records.markdown(header, rows)]
  return records.page('# Re-ranking by t', _RERANKING, parts)


def _by_depth(
  group: Sequence[records.Record], depths: Sequence[str], what: str
) -> list[str]:
  found = [[r['reranking'][depth][what] for r in group] for depth in depths]
  if what == 'map':
    return [records.spread(values) for values in found]
  return [f'{np.median(values):.2f}' for values in found]
