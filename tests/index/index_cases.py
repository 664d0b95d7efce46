"""Videos to be indexed, as arrays and files, and answers by brute force."""

import json
import pathlib

import numpy as np

from nph_jax.index import __main__ as index_cli

BITS = 16


def clustered(number, num_bytes, seed=0, centres=20):
  """Codes near some centres, uint8 [number, num_bytes]: many near and ties."""
  rng = np.random.default_rng(seed)
  shape = (number, num_bytes)
  noise = np.bitwise_and.reduce(rng.integers(0, 256, (4, *shape), np.uint8))
  middle = rng.integers(0, 256, (centres, num_bytes), np.uint8)
  return middle[rng.integers(0, centres, number)] ^ noise


def relaxed(codes, seed=0):
  """t whose signs are the codes' bits, float32 [number, bits]."""
  rng = np.random.default_rng(seed)
  signs = np.unpackbits(codes, axis=1) * 2.0 - 1
  values = signs * rng.uniform(0.1, 1, signs.shape)
  return values.astype(np.float16).astype(np.float32)


def metadata(number, start=0):
  """One dict for each video, with what an extraction writes."""
  names = ('dog', 'cat', 'chien perdu')
  return [
    {
      'path': f'videos/{video}.mp4',
      'labels': [names[video % 3]] + ['all'] * (video % 2),
      'duration': video / 4,
      'frame_times': [0.5, 1.5],
      'size': video % 5,
    }
    for video in range(start, start + number)
  ]


def nearest(queries, codes, ids, k):
  """Distances and ids of the k nearest by (distance, id)."""
  ids = np.asarray(ids)
  distances = np.bitwise_count(queries[:, None] ^ codes[None]).sum(-1, int)
  order = np.lexsort((np.broadcast_to(ids, distances.shape), distances))[:, :k]
  return np.take_along_axis(distances, order, axis=1), ids[order]


def pairs(hits):
  return [[(hit.distance, hit.id) for hit in result] for result in hits]


def codes(number=90, seed=0):
  return clustered(number, BITS // 8, seed)


def assert_nearest(index, queries, values, ids, k):
  distances, found = index.search_arrays(queries, k)
  assert distances.dtype == np.int32 and found.dtype == np.int64
  expected = nearest(queries, values, ids, k)
  np.testing.assert_array_equal(distances, expected[0])
  np.testing.assert_array_equal(found, expected[1])


def write_rows(path, rows):
  pathlib.Path(path).write_text('\n'.join(map(json.dumps, rows)) + '\n')


def write_manifest(path, number, start=0):
  write_rows(path, metadata(number, start))


def build(*more, features='frames.h5'):
  """Makes the index `ix` of what the fixture `files` holds."""
  index_cli.main(
    ['build', '--out=ix', '--bundle=export', f'--features={features}', *more]
  )
