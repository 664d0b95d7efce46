"""Made-up videos on disk: feature files, and the records built from them."""

from __future__ import annotations

import itertools
import pathlib

import numpy as np

from benchmarks import sizes

_BLOCK = 256
_OTHERS = 10  # videos of query and database each
_LABELS = 10


def write_features(
  path: pathlib.Path, num_videos: int, size: sizes.Size
) -> None:
  """Writes `.npy` features [N, M, L] float16 block by block.

  Every video differs; a block of random values is drawn once and shifted.
  """
  shape = (num_videos, size.num_frames, size.frame_dim)
  header = {'descr': '<f2', 'fortran_order': False, 'shape': shape}
  block = sizes.frames(min(num_videos, _BLOCK), size)
  with open(path, 'wb') as file:
    np.lib.format.write_array_header_1_0(file, header)
    for number in itertools.count():
      left = num_videos - number * _BLOCK
      if left <= 0:
        break
      file.write(np.roll(block, number, axis=-1)[:left].tobytes())


def sources(
  folder: pathlib.Path, num_videos: int, size: sizes.Size
) -> dict[str, dict[str, str]]:
  """Writes training videos, and a few as queries and database.

  Returns:
    The paths by split and by kind, features and labels, as config.data has
    them.
  """
  others = {
    'features': str(folder / 'others.npy'),
    'labels': str(folder / 'labels.npy'),
  }
  write_features(folder / 'train.npy', num_videos, size)
  write_features(folder / 'others.npy', _OTHERS, size)
  np.save(folder / 'labels.npy', np.eye(_OTHERS, _LABELS, dtype=np.uint8))
  train = {'features': str(folder / 'train.npy'), 'labels': ''}
  return {'train': train, 'query': others, 'database': others}


def build(folder: pathlib.Path, files: dict[str, dict[str, str]]):
  """The built data set of `sources`, in `folder`/built."""
  from nph_jax import configuration
  from nph_jax.data import sources as spec_lib
  from nph_jax.data import video_features

  data = configuration.base().data.to_dict()
  for split, paths in files.items():
    data[split].update(paths)
  spec = spec_lib.DataSpec.from_config(data, seed=0)
  return video_features.build(spec, folder / 'built')
