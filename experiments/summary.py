"""The tables that are read first: headline, summary and lengths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from experiments import paper, records, settings

_PROTOCOL = (
  'AP divided by min(R, K), ties as their expectation; mean and standard '
  'deviation over seeds, a lone value is of one seed. '
)
# What stands beside the first table.
_COST = (
  f'Steps and CPU seconds are of one training at {settings.FIRST_BITS} bits, '
  'seconds of rows from before they were counted are missing.'
)


def page(sets: Mapping[str, records.Results]) -> str:
  """Every method's mAP at the first code length, and its mean over lengths.

  '' without results.
  """
  table = _across(sets, means=True)
  about = f'{_PROTOCOL}{records.BRACKETS}'
  return records.page(f'# mAP@{settings.SUMMARY_K}', about, table)


def headline(sets: Mapping[str, records.Results]) -> str:
  """The README's rows: the first set by length, the others at one length.

  '' without results.
  """
  methods = settings.HEADLINE_METHODS
  parts = []
  for name, found in [*sets.items()][:1]:
    header = ['', *(f'{b} bits' for b in settings.BITS), 'steps', 'CPU s']
    rows = [
      [
        paper.display_name(method),
        *(records.at_length(found, method, b) for b in settings.BITS),
        *_cost(found.of(method, settings.FIRST_BITS)),
      ]
      for method in found.methods
      if method in methods
    ]
    parts = [f'## {name}', _COST, records.markdown(header, rows)]
  others = dict([*sets.items()][1:])
  if others:
    parts += ['## The others', *_across(others, methods)]
  about = f'{_PROTOCOL}{records.BRACKETS}'
  return records.page(f'# mAP@{settings.SUMMARY_K}', about, parts)


def _cost(group: Sequence[records.Record]) -> list[str]:
  """Steps and CPU seconds of a training, '-' where none was measured."""
  steps = {str(r['steps']) for r in group if r.get('steps')}
  used = [r['train_cpu_seconds'] for r in group if 'train_cpu_seconds' in r]
  mean = f'{np.mean(used):.0f}' if used else '-'
  return ['/'.join(sorted(steps)) or '-', mean]


def _across(
  sets: Mapping[str, records.Results],
  methods: Iterable[str] = (),
  means: bool = False,
) -> list[str]:
  """A row for each method, a column for each set; [] without results."""
  first, lengths = settings.FIRST_BITS, settings.BITS
  mean = f'mean of {", ".join(map(str, lengths))} bits'
  header = ['']
  for name in sets:
    header += [f'{name}, {first} bits', *([mean] if means else [])]
  every = {method for found in sets.values() for method in found.methods}
  rows = []
  for method in paper.ordered(every & {*methods} if methods else every):
    row = [paper.display_name(method)]
    for found in sets.values():
      row.append(records.at_length(found, method, first))
      row += [records.over_lengths(found, method)] if means else []
    rows.append(row)
  return [records.markdown(header, rows)] if rows else []


def lengths_page(sets: Mapping[str, records.Results]) -> str:
  """What each length that was tried gave, and its cost; '' without results."""
  rows = []
  for name, results in sets.items():
    dataset, _, epochs = name.rpartition('-e')
    for method, bits, (record, *_) in results.groups():
      chosen = settings.EPOCHS.get(dataset, {}).get(method) == int(epochs)
      rows.append(
        (
          dataset,
          paper.display_name(method),
          int(epochs),
          str(record['steps']),
          records.at_length(results, method, bits),
          f'{record["bit_entropy"]:.2f}',
          f'{record["train_cpu_seconds"]:.0f}',
          'yes' if chosen else '',
        )
      )
  header = [
    '', '', 'epochs', 'steps', f'mAP@{settings.SUMMARY_K}', 'bit entropy',
    'CPU s', 'chosen',
  ]  # fmt: skip
  table = [[str(part) for part in row] for row in sorted(rows)]
  return records.page(
    '# Lengths of training, chosen on held-back training videos',
    f'{settings.FIRST_BITS} bits, one seed. {records.BRACKETS}',
    [records.markdown(header, table)] if rows else [],
  )
