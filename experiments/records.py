"""The files of results read back, and the parts that tables are made of."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from experiments import cells, paper, settings

PROTOCOL = 'min_rk,expected'
OVER_K = 'k,expected'  # as published
_FILES = ('.features', '.labels')

COLLAPSED = 'collapsed'
BRACKETS = (
  'In brackets: the asymmetric ranking, by t . b, where it was measured; mean '
  f'over seeds. *{COLLAPSED}*: in a seed or more the entropy of a bit is below '
  f'{settings.COLLAPSED_ENTROPY}, nearly all videos have one code.'
)

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
    """Those with results, as tables list them."""
    return paper.ordered({method for method, _ in self._records})

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
    return [paper.display_name(method), *map(spread, values)]

  def groups(self) -> Iterator[tuple[str, int, list[Record]]]:
    """(method, bits, records), where there are any, in the order of tables."""
    for method in self.methods:
      for bits in self.bits():
        if found := self.of(method, bits):
          yield method, bits, found

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


def page(title: str, about: str, sections: Sequence[str]) -> str:
  """Markdown of the parts; '' without sections."""
  parts = filter(None, (title, about, *sections))
  return '\n\n'.join(parts) + '\n' if sections else ''


def map_at(
  record: Record, k: int, part: str = 'map', protocol: str = PROTOCOL
) -> float | None:
  """A record's mAP@K, None if it has none."""
  return record.get(part, {}).get(protocol, {}).get(str(k))


def values(
  group: Iterable[Record], part: str = 'map', protocol: str = PROTOCOL
) -> list[float | None]:
  """mAP@20 of each record."""
  return [map_at(r, settings.SUMMARY_K, part, protocol) for r in group]


def at_length(
  results: Results,
  method: str,
  bits: int,
  part: str = 'map',
  protocol: str = PROTOCOL,
) -> str:
  """mAP@20 at one code length, the asymmetric ranking's in brackets."""
  group = results.of(method, bits)
  text = _both(
    values(group, part, protocol),
    values(group, f'{part}_asymmetric', protocol),
  )
  return f'{text} *{COLLAPSED}*' if collapsed(group) else text


def collapsed(group: Iterable[Record]) -> bool:
  """Whether the codes of any record have next to no entropy."""
  least = min((r.get('bit_entropy', 1) for r in group), default=1)
  return least < settings.COLLAPSED_ENTROPY


def over_lengths(
  results: Results, method: str, part: str = 'map', protocol: str = PROTOCOL
) -> str:
  """The mean over settings.BITS, of the seeds that have them all."""
  parts = part, f'{part}_asymmetric'
  return _both(*(_means(results, method, p, protocol) for p in parts))


def _both(hamming: Sequence[float], asymmetric: Sequence[float]) -> str:
  real = [value for value in asymmetric if value is not None]
  text = spread(hamming)
  return f'{text} ({spread([np.mean(real)])})' if real else text


def _means(
  results: Results, method: str, part: str, protocol: str
) -> list[float]:
  per_length = []
  for b in settings.BITS:
    group = results.of(method, b)
    found = zip((r['seed'] for r in group), values(group, part, protocol))
    per_length.append({s: v for s, v in found if v is not None})
  seeds = set.intersection(*map(set, per_length))
  return [np.mean([v[s] for v in per_length]) for s in sorted(seeds)]


def by_length(
  results: Results,
  methods: Sequence[str],
  bits: Sequence[int],
  part: str = 'map',
  protocol: str = PROTOCOL,
) -> str:
  """mAP@20: a row for each method, a column for each code length, their mean.

  A method without results has no row.
  """
  mean_of = ' / '.join(map(str, settings.BITS))
  rows = []
  for method in methods:
    columns = [at_length(results, method, b, part, protocol) for b in bits]
    if any(column != '-' for column in columns):
      mean = over_lengths(results, method, part, protocol)
      rows.append([paper.display_name(method), *columns, mean])
  return markdown(
    ['', *(f'{b} bits' for b in bits), f'mean of {mean_of}'], rows
  )


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
  """A warning where cells of one method have other configuration values."""
  # A transfer experiment's files are of its seed.
  values: dict[str, list] = {}
  for record in records:
    own = {k: v for k, v in record['values'].items() if not k.endswith(_FILES)}
    values.setdefault(record['method'], []).append(own)
  mixed = [
    m for m, found in values.items() if any(v != found[0] for v in found)
  ]
  if not mixed:
    return ''
  names = ', '.join(map(paper.display_name, mixed))
  return f' **Not one configuration in all cells: {names}; see `values`.**'
