"""Near-duplicates of a library: `find`, and what a person said are none."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from nph_jax import atomic, errors
from nph_jax.duplicates import distances as distances_lib
from nph_jax.duplicates import flags, grouping, keeping, signatures
from nph_jax.library import library as library_lib
from nph_jax.library import store

_REJECTED = 'rejected.json'
_NS = 1_000_000_000


@dataclasses.dataclass(frozen=True)
class Member:
  """A video of a group.

  Attributes:
    id: in the index.
    path: of the file.
    distance: to the one that is to be kept, 0 of itself.
    facts: of the file.
  """

  id: int
  path: str
  distance: float
  facts: keeping.Facts


@dataclasses.dataclass(frozen=True)
class Group:
  """Videos that are copies of one another.

  Attributes:
    members: two or more; first the one to keep, then by distance to it.
    why: it is to be kept.
  """

  members: list[Member]
  why: str


@dataclasses.dataclass(frozen=True)
class Found:
  """What `find` found.

  Attributes:
    groups: by their lowest id.
    videos: of the library, those with features.
    radius: what was near enough.
    next_id: above all ids; as `since` it asks for what comes from now on.
  """

  groups: list[Group]
  videos: int
  radius: grouping.Radius
  next_id: int


def find(
  library: library_lib.Library,
  *,
  false_pairs: float = flags.FALSE_PAIRS,
  radius: float | None = None,
  keep: Sequence[str] = flags.KEEP,
  since: int | datetime.date | None = None,
) -> Found:
  """Groups of near-duplicates.

  Two videos are in one group if they are within the radius, or both within it
  of others of the group. A pair that was rejected is not.

  Args:
    library: open, for reading or writing.
    false_pairs: pairs of different videos that may be expected within the
      radius, among all pairs of the library.
    radius: the distance, 0 to 2, in place of one from the library itself.
    keep: names of keeping.RULES, the weightiest first.
    since: groups only with a video of this id or above, or with a file that
      was changed on that day or later.

  Raises:
    UserError: no such rule, or all videos are the same.
  """
  keeping.check(keep)
  files = library.videos()
  next_id = max((file.video for file in files), default=-1) + 1
  if len(files) < 2:
    return Found([], len(files), grouping.Radius(0, 0, 0), next_id)
  distances, codes = _signatures(library, files)
  within = grouping.radius(distances, codes, false_pairs, radius)
  groups = grouping.Groups(len(files))
  apart = Rejected(library.folder)
  for i, j, _ in grouping.near(distances, codes, within):
    for a, b in zip(i.tolist(), j.tolist()):
      if not apart.has(files[a], files[b]):
        groups.join(a, b)
  made = [
    _group(files, distances, rows, keep)
    for rows in groups.all()
    if _is_new([files[row] for row in rows], since)
  ]
  return Found(made, len(files), within, next_id)


def _signatures(
  library: library_lib.Library, files: Sequence[store.File]
) -> tuple[distances_lib.Distances, np.ndarray]:
  def read(rows: Sequence[int]) -> np.ndarray:
    return library.store.frames([files[row] for row in rows])

  settings = library.store.settings
  shape = len(files), settings['num_frames'], settings['feature_dim']
  tables = signatures.learn(read, shape)
  frames, motion, codes = signatures.of(read, tables, range(len(files)))
  durations = [file.record.get('duration') or np.nan for file in files]
  made = distances_lib.Distances(frames, motion, np.array(durations))
  return made, codes


def _is_new(
  files: Sequence[store.File], since: int | datetime.date | None
) -> bool:
  if since is None:
    return True
  if isinstance(since, int):
    return any(file.video >= since for file in files)
  midnight = datetime.datetime.combine(since, datetime.time()).timestamp()
  return any(file.stamp[1] >= midnight * _NS for file in files)


def _group(
  files: Sequence[store.File],
  distances: distances_lib.Distances,
  rows: list[int],
  keep: Sequence[str],
) -> Group:
  known = [keeping.facts(files[row]) for row in rows]
  kept, why = keeping.choose(known, keep)
  best = np.full(len(rows), rows[kept])
  apart = distances.of(best, np.array(rows)).tolist()
  members = [
    Member(files[row].video, files[row].path, distance, facts)
    for row, distance, facts in zip(rows, apart, known)
  ]
  first = members.pop(kept)
  return Group([first, *sorted(members, key=lambda x: (x.distance, x.id))], why)


class Rejected:
  """Sets of videos that are no copies of one another, kept beside the index.

  A video is meant with its content: one that has changed is another.
  """

  def __init__(self, folder: pathlib.Path):
    """Reads what was rejected.

    Raises:
      UserError: the file is damaged.
    """
    self._path = folder / _REJECTED
    self._sets: list[set[tuple[int, Any]]] = []
    try:
      found = json.loads(self._path.read_text())
      self._sets = [{(video, x) for video, x in some} for some in found]
    except FileNotFoundError:
      pass
    except (OSError, ValueError, TypeError) as error:
      raise errors.UserError(
        f'{self._path}: cannot be read ({error}); delete it, which forgets '
        'what was rejected.'
      ) from error
    self._of: dict[tuple[int, Any], set[int]] = {}
    for number, some in enumerate(self._sets):
      for video in some:
        self._of.setdefault(video, set()).add(number)

  def has(self, one: store.File, other: store.File) -> bool:
    """Whether a person said that these are no copies."""
    sets = self._of.get(_key(one))
    return bool(sets) and not sets.isdisjoint(self._of.get(_key(other), ()))

  def add(self, files: Sequence[store.File]) -> None:
    """Notes that no two of these are copies; durable on return."""
    self._sets.append({_key(file) for file in files})
    atomic.write_json(self._path, [sorted(some) for some in self._sets])


def _key(file: store.File) -> tuple[int, Any]:
  return file.video, file.record.get('hash', '')


def reject(library: library_lib.Library, ids: Sequence[int]) -> None:
  """Remembers that no two of these videos are copies.

  Raises:
    UserError: fewer than two, or the library has no video of such an id.
  """
  files = {file.video: file for file in library.videos()}
  for video in ids:
    if video not in files:
      raise errors.UserError(
        f'--reject: the library has no video {video}; give ids of a group, as '
        '`nph-jax duplicates` lists them.'
      )
  if len(set(ids)) < 2:
    raise errors.UserError('--reject: needs two or more ids of a group.')
  lock = atomic.lock(library.folder / f'.{_REJECTED}.lock', wait=True)
  try:
    Rejected(library.folder).add([files[x] for x in sorted(set(ids))])
  finally:
    lock.release()
