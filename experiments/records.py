"""The files of results read back, and the parts that tables are made of."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments import cells, paper, settings

PROTOCOL = 'min_rk,expected'
OVER_K = 'k,expected'  # as published
_FILES = ('.features', '.labels')

Record = Mapping[str, Any]


class Results:
  """The records of one folder, by method and code length."""

  def __init__(self, records: Iterable[Record]):
    self._records: dict[tuple[str, int], list[Record]] = {}
    for record in records:
      key = record['method'], record['bits']
      self._records.setdefault(key, []).append(record)

  @classmethod
  def read(cls, folder: pathlib.Path) -> Results:
    """Of all files in `folder`; none if it is not there."""
    return cls(filter(None, map(cells.read, sorted(folder.glob('*.json')))))

  def __bool__(self) -> bool:
    return bool(self._records)

  @property
  def methods(self) -> list[str]:
    """Those with results, references last, in the order of paper.NAMES."""
    found = {method for method, _ in self._records}
    known = [name for name in paper.NAMES if name in found]
    return known + sorted(found - set(known))

  def bits(self) -> list[int]:
    """The code lengths with results of a hashing method."""
    references = settings.REFERENCES
    return sorted({b for m, b in self._records if m not in references})

  def of(self, method: str, bits: int) -> list[Record]:
    """The records of all seeds; the real-valued reference has any length."""
    bits = 0 if method == 'cosine' else bits
    return self._records.get((method, bits), [])

  def row(
    self,
    method: str,
    bits: int,
    ks: Iterable[int],
    protocol: str = PROTOCOL,
  ) -> list[str]:
    """A row of a table: the method's name and its mAP at each K."""
    found = self.of(method, bits)
    values = ([map_at(r, k, protocol=protocol) for r in found] for k in ks)
    return [name_of(method), *map(spread, values)]

  def all(self) -> list[Record]:
    """Every record."""
    return [r for records in self._records.values() for r in records]


def spread(values: Sequence[float], digits: int = 3) -> str:
  """'.123 +- .004', without the deviation for one value, '-' for none."""
  values = [v for v in values if v is not None]
  if not values:
    return '-'
  mean = f'{np.mean(values):.{digits}f}'.removeprefix('0')
  if len(values) == 1:
    return mean
  return f'{mean} +- {np.std(values):.{digits}f}'.replace('+- 0.', '+- .')


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """A Markdown table."""
  lines = [header, ['---'] * len(header), *rows]
  return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def name_of(method: str) -> str:
  """What tables call a method."""
  return paper.NAMES.get(method, method)


def map_at(
  record: Record, k: int, part: str = 'map', protocol: str = PROTOCOL
) -> float | None:
  """A record's mAP@K, None if it has none."""
  return record.get(part, {}).get(protocol, {}).get(str(k))


def means_over_lengths(
  results: Results,
  method: str,
  value: Callable[[Sequence[Record]], list[float | None]],
) -> list[float]:
  """For each seed that has all lengths, the mean of them."""
  per_length = []
  for b in settings.SUMMARY_BITS:
    group = results.of(method, b)
    found = zip((r['seed'] for r in group), value(group))
    per_length.append({s: v for s, v in found if v is not None})
  seeds = set.intersection(*map(set, per_length))
  return [np.mean([v[s] for v in per_length]) for s in sorted(seeds)]


def origin(results: Results) -> str:
  """The protocol, the counts and the commits, as a paragraph."""
  records = results.all()
  commits = sorted({r['commit'] for r in records if r['commit']})
  hours = sum(r['seconds'] for r in records) / 3600
  train, query, database = (
    _range(r['videos'][split] for r in records)
    for split in ('train', 'query', 'database')
  )
  return (
    f'{train} training videos, {query} queries, {database} in the database. '
    'AP divided by min(R, K), ties as their expectation, self kept; mean and '
    'standard deviation over seeds, a lone value is of one seed. '
    f'{len(records)} cells, {hours:.1f} hours of work, at commit '
    f'{", ".join(commits) or "unknown"}.{_mixed(records)}'
  )


def _range(numbers: Iterable[int]) -> str:
  low, high = min(numbers := list(numbers)), max(numbers)
  return str(low) if low == high else f'{low} to {high}'


def _mixed(records: Sequence[Record]) -> str:
  """A warning where cells of one table have other configuration values."""
  # A transfer experiment's files are of its seed.
  values = [
    {k: v for k, v in r['values'].items() if not k.endswith(_FILES)}
    for r in records
  ]
  if all(one == values[0] for one in values):
    return ''
  return ' **Not all cells have the same configuration: see their `values`.**'
