"""Which hash function a library has, and when it learns one of its own.

Below FIRST videos the codes are the starter's, which was learned from other
people's videos (starter/README.md); from there on the library's own closed
form, learned again whenever the library has doubled: second moments, ranked by
their real values, and from NEIGHBORS videos on what neighbours share. Chosen on
groups held back of training videos, experiments/results/own_codes-ucf101_10.md.
A bundle that someone gave stays.

A library keeps its bundle in `codes/DIGEST`. The index says which is in use, so
that codes and bundle change in one transaction.
"""

from __future__ import annotations

import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from nph_jax import errors, export
from nph_jax.data import blocks
from nph_jax.export import files
from nph_jax.index import VideoIndex
from nph_jax.library import commands, store

FIRST, NEIGHBORS = 45, 180  # videos
NUM_BITS = 128
STARTER = pathlib.Path(__file__).with_name('starter') / 'tables.npz'
# Of a manifest: from how many videos the library learned it.
_LEARNED_FROM = 'library_videos'
_FOLDER = 'codes'
_FEWEST = 2  # videos that a closed form can tell apart


def starter(num_frames: int, feature_dim: int) -> files.Bundle | None:
  """What comes along; None for features of another network."""
  from nph_jax.library import closed_form  # flax: a search does without

  with np.load(STARTER) as archive:
    tables = dict(archive)
  if feature_dim != len(tables['frame_mean']):
    return None
  about = {'dataset': 'the starter', _LEARNED_FROM: 0}
  return closed_form.export('itq_moments', tables, num_frames, about)


def default(paths: Sequence[str], digest: str | None = None) -> pathlib.Path:
  """The bundle for feature files where none is given, which it says.

  The one that the user's library has in use; without a library, or if that is
  of other features, the starter's, kept beside it: it stays the same when the
  package changes.

  Args:
    paths: feature files, read as one array [N, M, L].
    digest: of the bundle whose codes are there already.

  Raises:
    UserError: a file or the library cannot be read, or the starter is of
      features of another width.
  """
  with blocks.FeatureFiles(paths) as opened:
    num_frames, feature_dim = opened.shape[1:]
  found = _default(num_frames, feature_dim, digest)
  print(f'no --bundle: taking {found}', file=sys.stderr, flush=True)
  return found


def _default(
  num_frames: int, feature_dim: int, digest: str | None
) -> pathlib.Path:
  home = commands.home()
  if digest is not None and path_of(home, digest).is_dir():
    return path_of(home, digest)
  if digest is None and (own := _of_library(home)) is not None:
    about = files.read(own).manifest
    if (about['num_frames'], about['feature_dim']) == (num_frames, feature_dim):
      return own
  kept = home.with_name(f'starter-{num_frames}x{feature_dim}')
  if not kept.is_dir():
    made = starter(num_frames, feature_dim)
    if made is None:
      raise errors.UserError(
        f'--bundle: no codes come along for features of width {feature_dim}; '
        'give the folder export/ of a workdir trained on such features.'
      )
    files.write(made, kept)
  return kept


def _of_library(folder: pathlib.Path) -> pathlib.Path | None:
  if not (folder / store.NAME).is_file():
    return None
  with VideoIndex.open(folder, read_only=True) as index:
    digest = index.bundle_digest
  return path_of(folder, digest) if digest else None


def learn(
  read: Callable[[], Iterator[np.ndarray]], shape: tuple[int, int, int]
) -> files.Bundle:
  """The library's own.

  Args:
    read: starts a pass over the videos, blocks [B, M, L].
    shape: (N, M, L).

  Raises:
    UserError: there are too few videos, or all are the same.
  """
  from nph_jax.library import closed_form

  count, num_frames, _ = shape
  if count < _FEWEST:
    raise errors.UserError(
      f'codes are learned from {_FEWEST} videos or more, and there are '
      f'{count}; add more, or give a --bundle.'
    )
  method = method_for(count)
  tables = closed_form.fit(method, NUM_BITS, read, shape)
  about = {'dataset': f'{count:,} videos of the library', _LEARNED_FROM: count}
  return closed_form.export(method, tables, num_frames, about)


def method_for(num_videos: int) -> str:
  """The closed form that is best for so many videos."""
  return 'itq_neighbors' if num_videos >= NEIGHBORS else 'itq_moments'


def learned_from(bundle: files.Bundle) -> int | None:
  """Videos of the library; 0 of the starter, None of a given bundle."""
  return bundle.manifest.get(_LEARNED_FROM)


def is_due(bundle: files.Bundle, num_videos: int) -> bool:
  """Whether a library of so many videos should learn anew."""
  before = learned_from(bundle)
  return before is not None and num_videos >= (2 * before or FIRST)


def is_ranked_by_t(bundle: files.Bundle) -> bool:
  """Whether t of query and videos ranks better than the videos' bits.

  So it does wherever a library is small enough to have codes of moments.
  """
  own = learned_from(bundle) is not None
  return own and bundle.manifest['method'] == 'itq_moments'


def words(bundle: files.Bundle) -> str:
  """What a person is told of the codes."""
  count = learned_from(bundle)
  if count is None:
    return f'codes of the bundle {bundle.digest[:8]}'
  of = f'learned from {count:,} of them' if count else 'of the starter'
  return f'codes {of}, {bundle.manifest["num_bits"]} bits'


def keep(folder: pathlib.Path, bundle: files.Bundle) -> export.Hasher:
  """Writes a bundle into the folder of a library, for the index to name."""
  new = folder / _FOLDER / 'new'
  files.write(bundle, new)
  return _placed(folder, new)


def copy(folder: pathlib.Path, given: pathlib.Path) -> export.Hasher:
  """As `keep`, for the bundle in the folder `given`."""
  export.load_hasher(given)
  new = folder / _FOLDER / 'new'
  shutil.rmtree(new, ignore_errors=True)
  shutil.copytree(given, new)
  return _placed(folder, new)


def _placed(folder: pathlib.Path, new: pathlib.Path) -> export.Hasher:
  hasher = export.load_hasher(new)
  target = path_of(folder, hasher.digest)
  if target.exists():
    shutil.rmtree(new)
  else:
    new.rename(target)
  return hasher


def path_of(folder: pathlib.Path, digest: str) -> pathlib.Path:
  """Where a library keeps the bundle of that digest."""
  return folder / _FOLDER / digest


def drop_others(folder: pathlib.Path, digest: str | None) -> None:
  """Deletes bundles that no index names any more, or never did."""
  for path in (folder / _FOLDER).glob('*'):
    if path.name != digest:
      shutil.rmtree(path, ignore_errors=True)
