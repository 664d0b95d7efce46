"""The flags of `nph-jax duplicates`; nothing slow is imported here."""

from __future__ import annotations

import argparse
import datetime
import math

FALSE_PAIRS = 0.5  # fewer than one
RULES = (
  'resolution', 'longest', 'largest', 'smallest', 'bit_rate', 'oldest',
  'newest',
)  # fmt: skip
KEEP = ('resolution', 'longest', 'largest', 'oldest')


def add(parser: argparse.ArgumentParser) -> None:
  """Adds the flags of the command."""
  flag = parser.add_argument
  flag('--false_pairs', type=_positive, default=FALSE_PAIRS,
       help='pairs of different videos that may be expected among the results; '
       'default %(default)s of all pairs of the library')  # fmt: skip
  flag('--radius', type=_positive,
       help='the distance itself, 0 of the same and 1 of strangers; default '
       'from the library')  # fmt: skip
  flag('--keep', type=_rules, default=KEEP, metavar='RULE,RULE',
       help='which one to keep, the weightiest rule first: '
       f'{", ".join(RULES)}; default {",".join(KEEP)}')  # fmt: skip
  flag('--since', type=_since, metavar='ID|DATE',
       help='groups with a video of this id or above, or a file changed on '
       'that day, as 2025-12-31, or later')  # fmt: skip
  flag('--reject', type=_ids, metavar='ID,ID',
       help='remember that no two of these are copies')  # fmt: skip
  form = parser.add_mutually_exclusive_group()
  form.add_argument('--json', action='store_true', help='one JSON object')
  form.add_argument('--csv', action='store_true', help='a line for each video')


def _rules(text: str) -> list[str]:
  names = text.split(',')
  if not set(names) <= set(RULES):
    raise argparse.ArgumentTypeError(
      f'{text!r}; expected one or more of {",".join(RULES)}'
    )
  return names


def _positive(text: str) -> float:
  try:
    value = float(text)
  except ValueError:
    value = math.nan
  if not 0 < value < math.inf:
    raise argparse.ArgumentTypeError(f'{text!r}; expected a number above 0')
  return value


def _ids(text: str) -> list[int]:
  ids = text.split(',')
  if not all(x.isdecimal() and len(x) < 19 for x in ids):
    raise argparse.ArgumentTypeError(f'{text!r}; expected ids, as 3,17')
  return [int(x) for x in ids]


def _since(text: str) -> int | datetime.date:
  if text.isdecimal() and len(text) < 8:
    return int(text)
  try:
    return datetime.date.fromisoformat(text)
  except ValueError:
    raise argparse.ArgumentTypeError(
      f'{text!r}; expected an id, or a day as 2025-12-31'
    ) from None
