"""What became of the files of a folder, in words."""

from __future__ import annotations

import collections
import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from nph_jax.extraction import extracting
from nph_jax.library import scanning

OUTCOMES = {
  scanning.KNOWN: 'known',
  scanning.TOUCHED: 'known',
  scanning.MOVED: 'moved',
  scanning.COPY: 'added',
  'removed': 'removed',
}
EXTRACTED = (scanning.NEW, scanning.CHANGED, scanning.AGAIN)
_KINDS = 12  # of ignored files that are named


@dataclasses.dataclass
class Report:
  """What came of it.

  Attributes:
    ignored: other files, by suffix.
    gone: paths of files that are there no more.
    counts: files that were 'added', 'known', 'changed', 'moved', or 'removed'
      from the index by someone.
    bad: why each file could not be used, by path.
    taught: the line of following.learn.
  """

  ignored: Mapping[str, int]
  gone: list[str]
  counts: collections.Counter[str] = dataclasses.field(
    default_factory=collections.Counter
  )
  bad: dict[str, str] = dataclasses.field(default_factory=dict)
  taught: str | None = None

  def count(self, kind: str, path: str, record: Mapping[str, Any]) -> None:
    """Counts a file that ended as `record`; `kind` is of scanning."""
    if extracting.ERROR in record:
      self.bad[path] = record[extracting.ERROR]
    else:
      new = 'changed' if kind == scanning.CHANGED else 'added'
      self.counts[OUTCOMES.get(kind, new)] += 1

  def show(self, pruned: bool) -> None:
    """Prints it.

    Args:
      pruned: whether files that are gone were taken out.
    """
    for path, why in self.bad.items():
      print(f'bad: {why if path in why else f"{path}: {why}"}', file=sys.stderr)
    for path in self.gone:
      print(f'gone: {path}', file=sys.stderr)
    print(self._words(pruned))
    if self.ignored:
      print(f'ignored by suffix: {_listed(self.ignored)}')
    if self.taught:
      print(self.taught)

  def _words(self, pruned: bool) -> str:
    found, gone = self.counts, len(self.gone)
    parts = {
      'added': found['added'],
      'known': found['known'],
      'changed': found['changed'],
      'moved': found['moved'],
      'taken out before, left out': found['removed'],
      'taken out' if pruned else 'gone (--prune takes them out)': gone,
      'bad': len(self.bad),
    }
    shown = [f'{count:,} {name}' for name, count in parts.items() if count]
    return ', '.join(shown) or 'nothing there'


def _listed(ignored: Mapping[str, int]) -> str:
  some = [f'{count:,} {suffix}' for suffix, count in ignored.items()]
  left = len(some) - _KINDS
  more = [f'{left} other kinds'] if left > 0 else []
  return ', '.join(some[:_KINDS] + more)
