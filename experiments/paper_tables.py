"""Tables 1 to 3 beside the paper's.

A page is '' while there are no results for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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
