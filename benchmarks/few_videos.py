"""A few videos hashed alone against a block of them: bits, rounding, time.

  python -m benchmarks.few_videos FEATURES.h5 BUNDLE ...

On 10,000 videos: those of the file, and mixtures of two where these are fewer.
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
_VIDEOS = 10_000
_BLOCK = 512  # videos at a time


def measure(hasher: Hasher, frames: np.ndarray, size: int) -> tuple:
  """The four values above, for calls of `size` of the frames [N, M, L]."""
  found, seconds = [], 0.0
  hasher.encode_query(frames[:size])
  for start in range(0, _VIDEOS, _BLOCK):
    some = _mixed(frames, range(start, min(start + _BLOCK, _VIDEOS)))
    codes, relaxed = hasher.encode_relaxed(some)
    parts = np.split(some, range(size, len(some), size))
    before = time.perf_counter()
    alone = [hasher.encode_query(part) for part in parts]
    seconds += time.perf_counter() - before
    near, t = (np.concatenate(x) for x in zip(*alone, strict=True))
    apart = np.abs(t - relaxed).max(axis=1) / np.abs(relaxed).max(axis=1)
    same = np.mean([np.array_equal(*x) for x in zip(t, relaxed)])
    found.append((np.array_equal(near, codes), apart.max(), same))
  equal, apart, blocks = zip(*found)
  calls = -(-_VIDEOS // size)
  return all(equal), max(apart), np.mean(blocks), seconds / calls


def _mixed(frames: np.ndarray, numbers: range) -> np.ndarray:
  """Videos by number: beyond those of `frames` the mean of two, weighted."""
  made = []
  for number in numbers:
    if number < len(frames):
      made.append(frames[number])
    else:
      rng = np.random.default_rng(number)
      (a, b), weight = rng.integers(len(frames), size=2), rng.random()
      made.append(weight * frames[a] + (1 - weight) * frames[b])
  return np.stack(made).astype(np.float16)


def main() -> None:
  """Prints a line for each bundle and size."""
  features, *bundles = sys.argv[1:]
  with h5py.File(features) as file:
    frames = file['feats'][:_VIDEOS].astype(np.float32)
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
