"""Codes of anybody's frame features from the shell, by an exported bundle.

python -m nph_jax.encode --bundle=DIR --features=FILE[,FILE] --out=codes.npy

Reads and writes block by block: memory does not grow with the number of videos.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import numpy as np

from nph_jax import allocator, atomic, cluster, compilation, errors, export
from nph_jax.data import blocks, progress
from nph_jax.extraction import workers

# Of a task on a cluster: videos, and seconds.
_ROWS, _TIME_LIMIT = 1024, 3600


@dataclasses.dataclass(frozen=True)
class Rows:
  """Videos `start` to `stop` of feature files, and the folder of a bundle."""

  bundle: str
  paths: tuple[str, ...]
  start: int
  stop: int

  def __str__(self) -> str:
    return f'{self.paths[0]}, videos {self.start:,} to {self.stop:,}'


def encode_rows(rows: Rows) -> np.ndarray:
  """The codes of some videos, uint8 [n, K / 8]."""
  hasher = _load(rows.bundle)
  with blocks.FeatureFiles(rows.paths) as files:
    return hasher.encode(files.read(rows.start, rows.stop))


@functools.lru_cache(maxsize=1)
def _load(bundle: str) -> export.Hasher:
  return export.load_hasher(bundle)


def encode_files(
  hasher: export.Hasher,
  paths: Sequence[str],
  out: pathlib.Path,
  on_cluster: Callable[[int], Iterator[np.ndarray]] | None = None,
) -> int:
  """Writes the packed codes of all videos of `paths`, in order, to `out`.

  Args:
    hasher: of frames [M, L].
    paths: feature files, `.h5` or `.npy`, read as one array [N, M, L].
    out: `.npy`, uint8 [N, K / 8]; appears only when all of it is written.
    on_cluster: N to codes in blocks, where it is not done here.

  Returns:
    N.

  Raises:
    UserError: a file is missing or damaged, has other frames than the hasher
      reads or values that are not finite, or the disk is full.
  """
  with blocks.FeatureFiles(paths) as files:
    files.check_read_by(hasher)
    num_videos = files.shape[0]
  if on_cluster is not None:
    found = on_cluster(num_videos)
  else:
    read = blocks.iterate_blocks(paths, hasher.block_size)
    found = (codes for codes, _ in hasher.encode_blocks(read))
  with (
    atomic.replacing(out) as temporary,
    open(temporary, 'wb') as file,
    progress.bar('encoding', num_videos, 'video') as bar,
    contextlib.closing(found),
  ):
    _write_header(file, (num_videos, hasher.num_bits // 8))
    for codes in found:
      # Not through a memory map: a full disk would end that in SIGBUS.
      file.write(codes.tobytes())
      bar.update(len(codes))
  return num_videos


def _on_cluster(
  address: str, bundle: str, paths: Sequence[str], num_videos: int
) -> Iterator[np.ndarray]:
  bundle, *files = map(os.path.abspath, (bundle, *paths))
  tasks = [
    Rows(bundle, tuple(files), start, min(start + _ROWS, num_videos))
    for start in range(0, num_videos, _ROWS)
  ]
  results = cluster.ordered(
    encode_rows, tasks, address=address, ahead=1, time_limit=_TIME_LIMIT
  )
  with contextlib.closing(results):
    for task, result in zip(tasks, results):
      if isinstance(result, workers.Failure):
        raise errors.UserError(f'{task}: {result.reason}')
      yield result


def _write_header(file: BinaryIO, shape: tuple[int, int]) -> None:
  header = {'descr': '|u1', 'fortran_order': False, 'shape': shape}
  np.lib.format.write_array_header_1_0(file, header)


def _check_out(out: pathlib.Path, paths: Sequence[str]) -> None:
  if not out.parent.is_dir():
    raise errors.UserError(
      f'{out}: the folder {out.parent} is missing; make it, or give --out a '
      'file in another one.'
    )
  if out.is_dir():
    raise errors.UserError(f'{out}: is a folder; give --out a file name.')
  for path in filter(os.path.exists, paths):
    if out.exists() and os.path.samefile(out, path):
      raise errors.UserError(
        f'{out}: is one of the feature files; give --out another name.'
      )


def _parser() -> argparse.ArgumentParser:
  parser = errors.Parser(
    prog='python -m nph_jax.encode',
    description='Packed codes of frame features.',
  )
  parser.add_argument(
    '--bundle',
    help="folder export/ of a trained workdir; default the codes of the user's "
    'library, or the starter',
  )
  parser.add_argument(
    '--features',
    required=True,
    help='.h5 with `feats` (videos, frames, width) or .npy; shards by commas',
  )
  parser.add_argument(
    '--out', required=True, help='.npy, uint8 (videos, bits / 8)'
  )
  parser.add_argument(
    '--cluster',
    metavar='ADDRESS',
    help='of a Ray cluster that does the work, as in 10.0.0.1:6379',
  )
  return parser


def main(argv: Sequence[str] | None = None) -> None:
  """Reads the bundle and the features, writes `--out`.

  Raises:
    UserError: any bad flag or file.
  """
  flags = _parser().parse_args(argv)
  paths = [path for path in flags.features.split(',') if path]
  if not paths:
    raise errors.UserError('--features= names no file.')
  out = pathlib.Path(flags.out)
  _check_out(out, paths)
  allocator.keep_freed_memory()
  compilation.set_up()
  bundle = flags.bundle
  if bundle is None:
    from nph_jax.library import codes

    bundle = codes.default(paths)
  hasher, elsewhere = export.load_hasher(bundle), None
  if flags.cluster:
    elsewhere = functools.partial(_on_cluster, flags.cluster, bundle, paths)
  advice = 'give --out a file in a folder that you may write to'
  with errors.writing(out, advice):
    num_videos = encode_files(hasher, paths, out, elsewhere)
  print(f'{out}: {num_videos} codes of {hasher.num_bits} bits')


if __name__ == '__main__':
  errors.run_main(main)
