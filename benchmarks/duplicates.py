"""How well copies are told from other videos; makes the copies, if need be.

  python -m benchmarks.duplicates [--data=../shared/data] [--work=FOLDER]

Each of the 18 raw videos of ucf101_10_videos is copied in all ways of copies;
copies and features stay in FOLDER, runs/duplicates by default. Every copy is
compared with the 18, and with the 1,814 other videos whose features are stored.
A pair is right if the copy is of that video. Clips of the same scene (UCF101's
groups) are counted apart: some show the same seconds. Signatures are learned
from the 1,832, not from copies.

Writes results/PROCESSOR/duplicates.json and the tables of README.md.
"""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from benchmarks import copies, machine, table
from nph_jax import atomic, errors
from nph_jax.duplicates import distances as distances_lib
from nph_jax.duplicates import flags as flags_lib
from nph_jax.duplicates import grouping, signatures
from nph_jax.extraction import files
from nph_jax.library import extraction

_SPLITS = ('train', 'query', 'test')
_ALL = copies.KINDS + copies.HARDER
_KEPT = 40  # copies, after so many of which features are kept
_OTHER = 5  # videos on is the other of a copy, of another class


def main(argv: Sequence[str] | None = None) -> None:
  """Measures and writes the tables.

  Raises:
    UserError: the videos are not there, or PyAV is missing.
  """
  parser = errors.Parser(prog='python -m benchmarks.duplicates')
  flag = parser.add_argument
  flag('--data', type=pathlib.Path, default=pathlib.Path('../shared/data'))
  flag('--work', type=pathlib.Path, default=pathlib.Path('runs/duplicates'))
  flags = parser.parse_args(argv)
  videos = copies.originals(flags.data)
  about = {**machine.describe(), 'load': os.getloadavg()[0]}
  frames, names, scenes, seconds = _stored(flags.data)
  made = _features(_copies(videos, flags.work), flags.work)
  rows = np.array([names.index(name.rpartition('__')[0]) for name in made])
  kinds = np.array([int(name.rpartition('__')[2]) for name in made])
  lasting = [
    copies.seconds(_ALL[kind], seconds[of]) for kind, of in zip(kinds, rows)
  ]
  results = measure(
    frames, scenes, np.stack(list(made.values())), rows, kinds,
    np.concatenate([seconds, lasting]),
  )  # fmt: skip
  table.write(table.RESULTS, 'duplicates', about, results)
  table.rewrite()


def _copies(
  videos: Sequence[pathlib.Path], work: pathlib.Path
) -> list[pathlib.Path]:
  """The copies' paths; makes those that are not there."""
  found = []
  for number, video in enumerate(videos):
    other = videos[(number + _OTHER) % len(videos)]
    for kind, name in enumerate(_ALL):
      path = work / 'copies' / f'{video.stem}__{kind:02}.mp4'
      if not path.exists():
        with atomic.replacing(path) as temporary:
          copies.make(name, video, other, temporary)
      found.append(path)
  return found


def _features(
  paths: Sequence[pathlib.Path], work: pathlib.Path
) -> dict[str, np.ndarray]:
  """Frames [M, L] of each copy by its name; extracts what is not there."""
  kept, made = work / 'features.npz', {}
  if kept.exists():
    with np.load(kept) as archive:
      made = dict(archive)

  def keep() -> None:
    with atomic.replacing(kept) as temporary:
      np.savez(temporary, **made)

  def done(
    video: files.Video, record: Mapping[str, Any], rows: Any, _: Any
  ) -> None:
    if rows is None:
      raise errors.UserError(record['error'])
    made[pathlib.Path(video.path).stem] = rows
    if not len(made) % _KEPT:
      keep()

  new = [str(x.resolve()) for x in paths if x.stem not in made]
  if new:
    chosen = extraction.settings(None, None, None)
    decoding = extraction.Decoding(os.cpu_count() or 1, 600)
    some = [files.Video(path, (0, 0)) for path in new]
    extraction.run(some, chosen, decoding, done)
    keep()
  return {path.stem: made[path.stem] for path in paths}


def _stored(
  data: pathlib.Path,
) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
  """Frames [N, M, L], names, scenes and seconds of all stored videos."""
  about = json.loads((data / 'ucf101_10' / 'names.json').read_text())['splits']
  paths = [data / 'ucf101_10' / f'ucf101_10_{x}_feats.h5' for x in _SPLITS]
  other = 'real_videos_unlabelled'
  frames = []
  for path in (*paths, data / other / f'{other}_feats.h5'):
    with h5py.File(path) as file:
      frames.append(file['feats'][:])
  unknown = [f'unlabelled {i}' for i in range(len(frames[-1]))]
  names, scenes = (
    sum((about[split][key] for split in _SPLITS), []) + unknown
    for key in ('names', 'group')
  )
  others = json.loads((data / other / 'sources.json').read_text())['videos']
  counts = sum((about[split]['decoded_frames'] for split in _SPLITS), [])
  counts += [video['decoded_frames'] for video in others]
  seconds = np.array(counts) / 25  # as most of them have it
  return np.concatenate(frames), names, np.array(scenes), seconds


def measure(
  frames: np.ndarray,
  scenes: np.ndarray,
  made: np.ndarray,
  rows: np.ndarray,
  kinds: np.ndarray,
  seconds: np.ndarray,
) -> dict[str, Any]:
  """Scores of every way to compare.

  Args:
    frames: [N, M, L] of the library.
    scenes: [N], of its videos.
    made: [C, M, L], the copies.
    rows: [C], what they are copies of.
    kinds: [C], numbers of kinds.
    seconds: [N + C], how long all of them last.
  """
  whole = np.concatenate([frames, made])
  tables = signatures.learn(lambda x: frames[x], frames.shape)
  found = signatures.of(lambda x: whole[x], tables, range(len(whole)))
  ways = {
    name: _against(x, len(frames)) for name, x in _ways(whole, found).items()
  }
  distances = distances_lib.Distances(found.frames, found.motion, seconds)
  ways['checked'] = _checked(distances, len(frames), len(made))
  right, others = _pairs(scenes, rows, kinds)
  first = kinds < len(copies.KINDS)
  chosen = {'the 14': first, f'all {len(_ALL)}': first | True}
  chosen |= {name: kinds == kind for kind, name in enumerate(_ALL)}
  scored = {
    name: {
      row: _scores(x[some], right[some], (right | others)[some])
      for row, some in chosen.items()
    }
    for name, x in ways.items()
  }
  same = {
    name: _scores(x[first], right[first], right[first] | True)
    for name, x in ways.items()
  }
  return {
    'videos': len(frames),
    'scores': scored,
    'with_same_scene': same,
    'default': _default(
      distances, found.codes, ways['checked'], kinds, right, others
    ),
  }


def _checked(
  distances: distances_lib.Distances, num_videos: int, num_copies: int
) -> np.ndarray:
  """Distances [C, N] of the copies, which come after the N videos, to these."""
  copied, videos = np.indices((num_copies, num_videos)).reshape(2, -1)
  found = grouping.in_turns(distances, num_videos + copied, videos)
  return found.reshape(num_copies, num_videos)


def _pairs(
  scenes: np.ndarray, rows: np.ndarray, kinds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Which pairs of a copy and a video are right, and which wrong, [C, N].

  Neither are those of one scene, nor of a copy and the other video in it.
  """
  right = np.arange(len(scenes)) == rows[:, None]
  # The other video that is in some copies: 5 videos on, as _copies has it.
  inside = np.roll(rows, -_OTHER * len(_ALL))
  shown = np.isin(kinds, [_ALL.index(name) for name in copies.WITH_ANOTHER])
  others = scenes != scenes[rows][:, None]
  others &= ~shown[:, None] | (scenes != scenes[inside][:, None])
  return right, others


def _ways(
  whole: np.ndarray, found: signatures.Signatures
) -> dict[str, np.ndarray]:
  """Rows by name; a distance is 1 - their inner product."""
  signs = np.unpackbits(found.codes, axis=1).astype(np.float32) * 2 - 1
  means = whole.mean(axis=1, dtype=np.float32)
  frames = found.frames.astype(np.float32)
  motion = frames - frames.mean(axis=1, keepdims=True)
  return {
    f'{signs.shape[1]} bits': _unit(signs),
    'mean frames': _unit(means - means.mean(axis=0)),
    'whitened': _unit(frames.mean(axis=1)),
    'motion': _unit(motion.reshape(len(whole), -1)),
  }


def _unit(rows: np.ndarray) -> np.ndarray:
  return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def _against(rows: np.ndarray, count: int) -> np.ndarray:
  return 1 - rows[count:] @ rows[:count].T


def _scores(
  distances: np.ndarray, right: np.ndarray, counted: np.ndarray
) -> tuple[float, float]:
  """AP and recall before the first false pair; of equals the false first."""
  found, hits = distances[counted].round(5), right[counted]
  hits = hits[np.lexsort((hits, found))]
  precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
  before = len(hits) if hits.all() else int(np.argmin(hits))
  return float(precision[hits].mean()), float(before / hits.sum())


def _default(
  distances: distances_lib.Distances,
  codes: np.ndarray,
  checked: np.ndarray,
  kinds: np.ndarray,
  right: np.ndarray,
  others: np.ndarray,
) -> dict[str, Any]:
  """What `nph-jax duplicates` finds with its radius for the videos alone."""
  videos = np.arange(right.shape[1])
  videos_codes, copies_codes = np.split(codes, [len(videos)])
  within = grouping.radius(
    distances.among(videos), videos_codes, flags_lib.FALSE_PAIRS
  )
  bits = np.stack(
    [np.bitwise_count(one ^ videos_codes).sum(axis=1) for one in copies_codes]
  )
  near = (checked <= within.distance) & (bits <= within.bits)
  return {
    'found': {
      name: int((near & right)[kinds == kind].sum())
      for kind, name in enumerate(_ALL)
    },
    'false': int((near & others).sum()),
    'pairs': int(others.sum()),
    'nearest': float(checked[others].min()),
    'radius': within.distance,
  }


if __name__ == '__main__':
  errors.run_main(main)
