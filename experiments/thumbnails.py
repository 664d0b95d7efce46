"""Pictures of videos, for figures: of their pixels, or of their files.

Files are found by the names that stand beside the features: `path` in the
manifest that `python -m nph_jax.extract` wrote, or `names.json`, as ucf101_10
has it: {"splits": {"query": {"names": [...]}}}, the database being "test".
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from nph_jax import errors
from nph_jax.data.spec import SplitFiles
from nph_jax.index import metadata

Picture = Callable[[int, np.ndarray], np.ndarray | None]
_SHORTER_SIDE = 120  # pixels
_NAMES = {'query': 'query', 'database': 'test', 'train': 'train'}


def of_pixels(row: int, frames: np.ndarray) -> np.ndarray:
  """The middle of frames [M, L] whose features are a square of pixels."""
  del row
  side = round(frames.shape[1] ** 0.5)
  return frames[len(frames) // 2].astype(np.float32).reshape(side, side)


def of_files(paths: Sequence[pathlib.Path | None]) -> Picture:
  """The middle frame of each row's video, [H, W, 3]; None without a file."""
  from nph_jax.extraction import decoding  # an extra of its own

  def picture(row: int, frames: np.ndarray) -> np.ndarray | None:
    del frames
    if row >= len(paths) or paths[row] is None:
      return None
    (frame,) = decoding.sample_frames(paths[row], 1).frames
    step = max(1, min(frame.shape[:2]) // _SHORTER_SIDE)
    return frame[::step, ::step]

  return picture


def paths(
  files: SplitFiles, split: str, folder: pathlib.Path
) -> list[pathlib.Path | None]:
  """For each row of a split, its video's file under `folder` or None."""
  below = {p.stem: p for p in sorted(folder.rglob('*')) if p.is_file()}
  found = []
  for name in _names(files, split):
    whole = folder / name
    stem = pathlib.Path(name).stem
    found.append(whole if whole.is_file() else below.get(stem))
  return found


def _names(files: SplitFiles, split: str) -> list[str]:
  manifests = metadata.manifests_beside(files.features)
  if manifests:
    about = metadata.read_manifests(manifests)
    return [str(video.get('path', '')) for video in about]
  beside = pathlib.Path(files.features[0]).with_name('names.json')
  if not beside.is_file():
    return []
  try:
    splits = json.loads(beside.read_text())['splits']
    return [str(name) for name in splits[_NAMES[split]]['names']]
  except (ValueError, KeyError, TypeError) as error:
    raise errors.UserError(
      f'{beside}: has no names of the {split} videos; expected '
      '{"splits": {"query": {"names": [...]}, "test": ...}}.'
    ) from error
