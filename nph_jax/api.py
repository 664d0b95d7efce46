"""From arrays to codes, and from codes to scores, without a command line.

`fit` runs the stages of the main job (`pipeline`) on its configuration
`custom`; nothing here trains by itself.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import config_files, configuration, errors, trees
from nph_jax.data import progress as bars
from nph_jax.export import Hasher, load_hasher
from nph_jax.retrieval import evaluation

Path = str | os.PathLike[str]
_STAGES = ('prepare', 'train', 'export')
_LENGTHS = ('train.num_steps', 'neighborhood.num_steps')
_READ = (np.float16, np.float32, np.float64)


def fit(
  frames: np.ndarray | Path | Sequence[Path],
  method: str = 'nph',
  num_bits: int = 32,
  *,
  num_steps: int | None = None,
  seed: int = 0,
  workdir: Path | None = None,
  progress: bool = False,
  config: Mapping[str, Any] | None = None,
  **options: Any,
) -> Hasher:
  """Learns to hash videos from the features of their frames, without labels.

  What is learned is what `python -m nph_jax.main --config=custom` learns from
  the same frames with the same values.

  Args:
    frames: [N, M, L], real: N videos (100 or more are wanted, 10 needed), M
      frames of each, L features of a frame, none beyond what float16 holds. Or
      files of such arrays, .npy or .h5 with the key `feats`, one or several.
    method: of `registry.METHODS`.
    num_bits: K, a multiple of 8.
    num_steps: updates of each training, that of y among them where there is
      one; 1000 by default.
    seed: of everything.
    workdir: folder in which every result stays, so that the same call
      continues; by default a temporary one, removed at the end, with room for
      `frames` and for a copy of them in float16.
    progress: whether bars on stderr tell how far it is.
    config: other values of the configuration by dotted name, as
      {'train.learning_rate': 1e-4}; `configuration.base` lists them.
    **options: the method's own, `registry.default_options` of it.

  Returns:
    The hasher; `encode` yields codes, `save` keeps it.

  Raises:
    UserError: frames, sizes, names or values that do not fit.
  """
  with contextlib.ExitStack() as stack:
    if workdir is None:
      workdir = stack.enter_context(
        tempfile.TemporaryDirectory(
          prefix='nph_jax-', ignore_cleanup_errors=True
        )
      )
    if not progress:
      stack.enter_context(bars.hidden())
    features = stack.enter_context(_files(frames, pathlib.Path(workdir)))
    values = {
      **dict.fromkeys(_LENGTHS if num_steps else (), num_steps),
      **_method_options(method, options),
      **(config or {}),
      'seed': seed,
      'data.train.features': features,
    }
    return _run(f'{method},bits={num_bits}', values, workdir)


def _run(arg: str, values: Mapping[str, Any], workdir: Path) -> Hasher:
  from nph_jax import pipeline  # tensorflow takes seconds

  settings = config_files.load(config_files.folder() / 'custom.py', arg)
  configuration.set_values(settings, values)
  configuration.check(settings)
  job = pipeline.run_stages(settings, os.fspath(workdir), _STAGES)
  return load_hasher(job.workdir.export)


def _method_options(method: str, options: Mapping[str, Any]) -> dict[str, Any]:
  """The options by the dotted names of the configuration."""
  from nph_jax.models import registry

  known = registry.default_options(method)
  unknown = [name for name in options if name not in known]
  if unknown:
    raise errors.UserError(
      f'{unknown[0]!r} is no option of {method}; choose from '
      f'{", ".join(known)}, or set other values by config={{name: value}}.'
    )
  return trees.flatten({'method_options': dict(options)}, '.')


@contextlib.contextmanager
def _files(
  frames: np.ndarray | Path | Sequence[Path], workdir: pathlib.Path
) -> Iterator[str]:
  """The files of the frames as the configuration names them.

  An array becomes one, and errors then speak of it as `frames`.
  """
  if isinstance(frames, str | os.PathLike):
    frames = [frames]
  if isinstance(frames, list | tuple) and all(
    isinstance(path, str | os.PathLike) for path in frames
  ):
    yield ','.join(map(os.path.abspath, frames))
    return
  frames = np.asarray(frames)
  if frames.dtype not in _READ:
    try:
      frames = frames.astype(np.float32)
    except (TypeError, ValueError) as error:
      raise errors.UserError(
        f'frames: {error}; expected real numbers [videos, frames, width].'
      ) from error
  path = workdir.absolute() / 'frames.npy'
  with errors.writing(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, frames)
  try:
    yield str(path)
  except errors.UserError as error:
    raise errors.UserError(str(error).replace(str(path), 'frames')) from error


def evaluate(
  query_codes: np.ndarray,
  query_labels: np.ndarray,
  database_codes: np.ndarray | None = None,
  database_labels: np.ndarray | None = None,
  *,
  query_relaxed: np.ndarray | None = None,
  ks: Sequence[int] = evaluation.KS,
) -> evaluation.Evaluation:
  """Scores rankings of packed codes, whoever made them, under every protocol.

  Args:
    query_codes: uint8 [Q, K / 8], of `Hasher.encode` or numpy.packbits.
    query_labels: multi-hot [Q, labels], or [Q] one label of each video, numbers
      or names. Videos that share one are relevant to each other.
    database_codes: [N, K / 8]; by default each query is searched among the
      others, and all scores are given with its own copy kept and excluded.
    database_labels: as query_labels.
    query_relaxed: t of the queries, real [Q, K], of `Hasher.encode_relaxed`:
      the asymmetric ranking by t . b is scored too.
    ks: values of K in mAP@K; those above N are left out.

  Returns:
    The scores; `Evaluation.value` picks one of them.

  Raises:
    UserError: arrays that do not fit each other.
  """
  itself = database_codes is None
  if itself:
    database_codes, database_labels = query_codes, query_labels
  query_codes, database_codes = map(_packed, (query_codes, database_codes))
  query_labels, database_labels = _multi_hot(query_labels, database_labels)
  try:
    return evaluation.evaluate_codes(
      query_codes,
      query_labels,
      database_codes,
      database_labels,
      query_relaxed=query_relaxed,
      ks=ks,
      self_rows=np.arange(len(query_codes)) if itself else None,
    )
  except ValueError as error:
    raise errors.UserError(f'{error}.') from error


def _packed(codes: Any) -> np.ndarray:
  codes = np.asarray(codes)
  if codes.ndim != 2 or codes.dtype != np.uint8:
    raise errors.UserError(
      f'codes of shape {codes.shape} and type {codes.dtype}; expected uint8 '
      '[videos, bits / 8], as Hasher.encode and numpy.packbits make them.'
    )
  return codes


def _multi_hot(query: Any, database: Any) -> tuple[np.ndarray, np.ndarray]:
  """Labels [Q, labels] and [N, labels], of one a video where they are [N]."""
  query, database = np.asarray(query), np.asarray(database)
  if not 1 <= query.ndim == database.ndim <= 2:
    raise errors.UserError(
      f'labels of shapes {query.shape} and {database.shape}; expected one '
      'label of each video, or multi-hot rows of [videos, labels], in both.'
    )
  if query.ndim == 2:
    return query, database
  names, rows = np.unique([*query, *database], return_inverse=True)
  rows = np.eye(len(names), dtype=np.uint8)[rows]
  return rows[: len(query)], rows[len(query) :]
