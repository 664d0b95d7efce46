"""`nph-jax duplicates`: groups as a table, JSON or CSV; what is rejected."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import sys
from typing import Any

from nph_jax.duplicates import finding
from nph_jax.library import library as library_lib

_COLUMNS = (
  'group', 'keep', 'id', 'distance', 'width', 'height', 'duration', 'size',
  'bit_rate', 'why', 'path',
)  # fmt: skip


def run(flags: argparse.Namespace) -> None:
  """Prints the groups, or remembers what was rejected.

  Raises:
    UserError: there is no library, no such rule or video.
  """
  with library_lib.Library(flags.index, 'read') as library:
    if flags.reject is not None:
      finding.reject(library, flags.reject)
      print(f'remembered: {", ".join(map(str, flags.reject))} are no copies')
      return
    found = finding.find(
      library,
      false_pairs=flags.false_pairs,
      radius=flags.radius,
      keep=flags.keep,
      since=flags.since,
    )
  write = _json if flags.json else _csv if flags.csv else _table
  write(found)


def rows(found: finding.Found) -> list[dict[str, Any]]:
  """A row of _COLUMNS for each video."""
  return [
    {
      'group': number,
      'keep': member is group.members[0],
      'why': group.why if member is group.members[0] else None,
      'id': member.id,
      'path': member.path,
      'distance': round(member.distance, 4),
      **dataclasses.asdict(member.facts),
    }
    for number, group in enumerate(found.groups, 1)
    for member in group.members
  ]


def _json(found: finding.Found) -> None:
  print(
    json.dumps(
      {
        'videos': found.videos,
        'radius': found.radius.distance,
        'false_pairs': found.radius.false_pairs,
        'next_id': found.next_id,
        'results': rows(found),
      }
    )
  )


def _csv(found: finding.Found) -> None:
  writer = csv.DictWriter(sys.stdout, _COLUMNS, extrasaction='ignore')
  writer.writeheader()
  writer.writerows(rows(found))


def _table(found: finding.Found) -> None:
  for number, group in enumerate(found.groups, 1):
    print(f'group {number}, keep the first ({group.why}):')
    for member in group.members:
      print(f'  {member.id:>6}  {member.distance:5.3f}  {_described(member)}')
  near = found.radius
  expected = ''
  if near.false_pairs is not None:
    expected = f', where {near.false_pairs:.2g} false pairs are expected'
  print(
    f'{len(found.groups):,} groups among {found.videos:,} videos, within a '
    f'distance of {near.distance:.3f}{expected}'
  )
  print(f'only what comes from now on: --since={found.next_id}')


def _described(member: finding.Member) -> str:
  facts = member.facts
  shape = f'{facts.width}x{facts.height}' if facts.width else '?'
  length = f'{facts.duration:.1f} s' if facts.duration else '?'
  rate = f'{facts.bit_rate / 1e3:,.0f} kbit/s' if facts.bit_rate else '?'
  return (
    f'{shape:>9}  {length:>9}  {facts.size / 1e6:>8.2f} MB  {rate:>13}  '
    f'{member.path}'
  )
