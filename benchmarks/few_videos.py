"""A few videos hashed alone against a block of them: bits, rounding, time.

  python -m benchmarks.few_videos FEATURES.h5 BUNDLE ...

For each bundle and each size of a call: whether all codes are the block's, the
greatest difference of t as a part of its video's largest |t|, the share of
videos whose t is the block's to the last bit, and milliseconds a call.
"""

from __future__ import annotations

import sys
import time

import h5py
import numpy as np

from nph_jax.export import Hasher, load_hasher

SIZES = (1, 2, 4, 8)
_VIDEOS = 600


def measure(hasher: Hasher, frames: np.ndarray, size: int) -> tuple:
  """The four values above, for calls of `size` of the frames [N, M, L]."""
  codes, relaxed = hasher.encode_relaxed(frames)
  parts = np.split(frames, range(size, len(frames), size))
  hasher.encode_query(parts[0])
  start = time.perf_counter()
  found = [hasher.encode_query(part) for part in parts]
  seconds = time.perf_counter() - start
  near, t = (np.concatenate(x) for x in zip(*found, strict=True))
  apart = np.abs(t - relaxed).max(axis=1) / np.abs(relaxed).max(axis=1)

  blocks = np.mean([np.array_equal(*x) for x in zip(t, relaxed)])
  return np.array_equal(near, codes), apart.max(), blocks, seconds / len(parts)


def main() -> None:
  """Prints a line for each bundle and size."""
  features, *bundles = sys.argv[1:]
  with h5py.File(features) as file:
    frames = file['feats'][:_VIDEOS]
  for path in bundles:
    hasher = load_hasher(path)
    for size in SIZES:
      equal, apart, blocks, seconds = measure(hasher, frames, size)
      print(
        f'{path}, {size} a call: codes {"equal" if equal else "DIFFER"}, '
        f't {apart:.1e} apart, {blocks:.1%} of videos bit for bit, '
        f'{1e3 * seconds:.1f} ms'
      )


if __name__ == '__main__':
  main()
