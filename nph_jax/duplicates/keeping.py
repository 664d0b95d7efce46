"""What is known of each file of a group, and which one is to be kept."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence

from nph_jax import errors
from nph_jax.duplicates import flags
from nph_jax.library import store


@dataclasses.dataclass(frozen=True)
class Facts:
  """Of one file; None is what was not known when it was extracted.

  Attributes:
    width: in pixels, as stored.
    height: in pixels.
    duration: in seconds.
    size: in bytes.
    bit_rate: in bits a second, of all that is in the file.
    time: of its last change, in ns since 1970.
  """

  width: int | None
  height: int | None
  duration: float | None
  size: int
  bit_rate: int | None
  time: int


def facts(file: store.File) -> Facts:
  """What the library's record says: the file itself is not opened again."""
  size, time = file.stamp
  duration = file.record.get('duration')
  rate = round(8 * size / duration) if duration else None
  shape = file.record.get('width'), file.record.get('height')
  return Facts(*shape, duration, size, rate, time)


@dataclasses.dataclass(frozen=True)
class _Rule:
  """More of `value` is better; `words` says how much there is."""

  value: Callable[[Facts], float]
  words: Callable[[Facts], str]


def _changed(found: Facts) -> str:
  seconds = found.time / 1e9
  day = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
  return f'changed {day:%Y-%m-%d}'


RULES: Mapping[str, _Rule] = {
  'resolution': _Rule(
    lambda x: (x.width or 0) * (x.height or 0),
    lambda x: f'{x.width} x {x.height}',
  ),
  # A frame more or less is no reason.
  'longest': _Rule(
    lambda x: round(x.duration or 0), lambda x: f'{x.duration:.0f} s'
  ),
  'largest': _Rule(lambda x: x.size, lambda x: f'{x.size:,} bytes'),
  'smallest': _Rule(lambda x: -x.size, lambda x: f'{x.size:,} bytes'),
  'bit_rate': _Rule(
    lambda x: x.bit_rate or 0,
    lambda x: f'{(x.bit_rate or 0) / 1e3:,.0f} kbit/s',
  ),
  'oldest': _Rule(lambda x: -x.time, _changed),
  'newest': _Rule(lambda x: x.time, _changed),
}  # fmt: skip


def choose(
  files: Sequence[Facts], rules: Sequence[str] = flags.KEEP
) -> tuple[int, str]:
  """Which of the files to keep, and why.

  Args:
    files: two or more.
    rules: names of RULES; each decides between those that are equal by all
      rules before it.

  Returns:
    Its number, the first of equals, and the rule that decided with what it saw.
  """
  left, why = list(range(len(files))), 'all are the same; the first'
  for name in rules:
    rule = RULES[name]
    best = max(rule.value(files[i]) for i in left)
    worse = [i for i in left if rule.value(files[i]) < best]
    if worse:
      left = [i for i in left if i not in worse]
      why = f'{name}: {rule.words(files[left[0]])}'
    if len(left) == 1:
      break
  return left[0], why


def check(rules: Sequence[str]) -> None:
  """Raises a UserError where there is no such rule."""
  for name in rules:
    if name not in RULES:
      raise errors.UserError(
        f'--keep={name}: no such rule; expected one or more of '
        f'{",".join(RULES)}, the weightiest first.'
      )
