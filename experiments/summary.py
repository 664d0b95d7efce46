"""The one table of the project's README: every method, all data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments import records, settings


def page(sets: Mapping[str, records.Results]) -> str:
  """Every method's mean over code lengths, or its mAP at the first one.

  '' without results.
  """
  if not sets:
    return ''
  first, lengths = settings.FIRST_BITS, settings.SUMMARY_BITS
  mean = f'mean of {", ".join(map(str, lengths))} bits'
  header = ['']
  for name in sets:
    header += [f'{name}, {first} bits', mean]
  methods = dict.fromkeys(m for found in sets.values() for m in found.methods)
  rows = []
  for method in methods:
    row = [records.name_of(method)]
    for found in sets.values():
      at_first = _values(found.of(method, first))
      means = records.means_over_lengths(found, method, _values)
      row += [records.spread(at_first), records.spread(means)]
    rows.append(row)
  counts = ', '.join(
    f'{name} {max(len(r.of(m, first)) for m in r.methods)}'
    for name, r in sets.items()
  )
  return (
    f'# mAP@{settings.SUMMARY_K}\n\nAP divided by min(R, K), ties as their '
    f'expectation; mean and standard deviation over seeds ({counts}).\n\n'
    f'{records.markdown(header, rows)}\n'
  )


def _values(group: Sequence[records.Record]) -> list[float | None]:
  return [records.map_at(r, settings.SUMMARY_K) for r in group]
