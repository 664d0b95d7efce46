"""The tables that are read first: headline, summary and neighbours."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from experiments import paper, records, settings


def page(sets: Mapping[str, records.Results]) -> str:
  """Every method's mAP at the first code length, and its mean over lengths.

  '' without results.
  """
  if not sets:
    return ''
  first, lengths = settings.FIRST_BITS, settings.SUMMARY_BITS
  mean = f'mean of {", ".join(map(str, lengths))} bits'
  header = ['']
  for name in sets:
    header += [f'{name}, {first} bits', mean]
  every = {method for found in sets.values() for method in found.methods}
  rows = []
  for method in paper.ordered(every):
    row = [paper.display_name(method)]
    for found in sets.values():
      row.append(records.at_length(found, method, first))
      row.append(records.over_lengths(found, method))
    rows.append(row)
  counts = ', '.join(
    f'{name} {max(len(r.of(m, first)) for m in r.methods)}'
    for name, r in sets.items()
  )
  return (
    f'# mAP@{settings.SUMMARY_K}\n\nAP divided by min(R, K), ties as their '
    f'expectation; mean and standard deviation over seeds ({counts}). '
    f'{records.BRACKETS}\n\n{records.markdown(header, rows)}\n'
  )


def headline(sets: Mapping[str, records.Results]) -> str:
  """A few methods' mean over lengths, for the README; '' without results."""
  if not sets:
    return ''
  every = {method for found in sets.values() for method in found.methods}
  rows = [
    [
      paper.display_name(method),
      *(records.over_lengths(found, method) for found in sets.values()),
    ]
    for method in paper.ordered(every & {*settings.HEADLINE_METHODS})
  ]
  lengths = ', '.join(map(str, settings.SUMMARY_BITS))
  return (
    f'# mAP@{settings.SUMMARY_K}, mean of {lengths} bits\n\nMean and standard '
    'deviation over seeds. In brackets: the query keeps its real values, the '
    f'database its bits.\n\n{records.markdown(["", *sets], rows)}\n'
  )


def neighbors_page(sets: Mapping[str, records.Results]) -> str:
  """The closed forms and what begins at them; '' without results."""
  methods, bits = settings.NEIGHBORS_METHODS, settings.SUMMARY_BITS
  wanted = {('cosine', 0), *itertools.product(methods, bits)}
  sections = []
  for name in settings.NEIGHBORS_DATASETS:
    found = records.Results(
      record
      for record in (sets[name].all() if name in sets else ())
      if (record['method'], record['bits']) in wanted
    )
    if found:
      table = records.by_length(found, [*methods, 'cosine'], bits)
      sections += [f'## {name}', records.origin(found), table]
  return records.page(
    f'# Neighbours before variance: mAP@{settings.SUMMARY_K}',
    records.BRACKETS,
    sections,
  )
