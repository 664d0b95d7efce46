"""From how many of one's own videos on the library should teach its own codes.

  python -m experiments.own_codes [--dataset=ucf101_10] [--seeds=0] [--bits=64]

A library of n videos is drawn from the training videos of a data set, whole
groups at a time; 30 % of the groups of each class are held back and query it,
so that no query meets its own scene. Codes are learned from the n videos, or,
"starter", from the 1,093 others of real_videos_unlabelled. mAP@20 (min_rk, ties
expected) of the Hamming, the asymmetric and the real-valued ranking (t, its
cosine), and of the cosine of the pooled vectors that t is made of; means over
draws. Rows of other draws do not compare. Labels only score.

Writes results/own_codes-DATASET.json and .md.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from collections.abc import Iterator, Sequence

import h5py
import jax
import numpy as np

from experiments import command_line, records
from nph_jax import atomic, errors
from nph_jax.data import labels as labels_lib
from nph_jax.library import closed_form
from nph_jax.models import log_covariance
from nph_jax.retrieval import evaluation

SIZES = (20, 30, 45, 60, 90, 120, 180, 250, 310)
_HELD_BACK = 0.3
_K = 20
_RESULTS = pathlib.Path(__file__).with_name('results')


def main(argv: Sequence[str] | None = None) -> None:
  """Measures what is missing of the results, then writes the table."""
  parser = errors.Parser(prog='python -m experiments.own_codes')
  parser.add_argument('--data', type=pathlib.Path, default='../shared/data')
  parser.add_argument('--dataset', default='ucf101_10')
  parser.add_argument(
    '--seeds', type=command_line.numbers, default=[0, 1, 2, 3]
  )
  parser.add_argument(
    '--bits', type=command_line.numbers, default=[64, 128, 256]
  )
  flags = parser.parse_args(argv)
  out = _RESULTS / f'own_codes-{flags.dataset}.json'
  found = json.loads(out.read_text()) if out.exists() else {}
  frames, classes, groups = training(flags.data / flags.dataset)
  starters = _starters(flags, frames.shape[1:])
  for seed in flags.seeds:
    query, order = draw(classes, groups, seed)
    for size in SIZES:
      name = f'{seed}/{size}'
      done = found.setdefault(name, {})
      own = order[:size]
      for key, tables in _learned(frames[own], flags, starters, done):
        done[key] = _scores(tables, frames, classes, query, own)
      atomic.write_json(out, found)
      print(name, flush=True)
  atomic.write_text(out.with_suffix('.md'), _page(flags.dataset, found))


def training(
  folder: pathlib.Path,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
  """Frames [N, M, L], one-hot classes [N, C] and the group of each video."""
  with h5py.File(folder / f'{folder.name}_train_feats.h5') as file:
    frames = file['feats'][:]
  path = folder / f'{folder.name}_train_labels.mat'
  classes = labels_lib.read_labels([str(path)])
  about = json.loads((folder / 'names.json').read_text())
  merged = {y: x[0] for x in about['groups_merged'] for y in x}
  groups = about['splits']['train']['group']
  return frames, classes, [merged.get(group, group) for group in groups]


def draw(
  classes: np.ndarray, groups: Sequence[str], seed: int
) -> tuple[np.ndarray, np.ndarray]:
  """Rows that query, and the others in the order in which a library grows."""
  rng = np.random.default_rng(seed)
  names, groups = np.unique(groups), np.asarray(groups)
  own_class = {name: classes[groups == name][0].argmax() for name in names}
  held, rest = [], []
  for number in range(classes.shape[1]):
    some = rng.permutation([x for x in names if own_class[x] == number])
    cut = round(_HELD_BACK * len(some))
    held += some[:cut].tolist()
    rest += some[cut:].tolist()
  rows = lambda some: np.concatenate(  # noqa: E731
    [np.flatnonzero(groups == name) for name in some]
  )
  return rows(held), rows(rng.permutation(rest))


def _starters(
  flags: argparse.Namespace, shape: tuple[int, ...]
) -> dict[str, dict[str, np.ndarray]]:
  """Tables by name, none for frames of another network."""
  path = flags.data / 'real_videos_unlabelled'
  with h5py.File(path / 'real_videos_unlabelled_feats.h5') as file:
    frames = file['feats'][:]
  if frames.shape[1:] != shape:
    return {}
  return {
    f'starter {method} {bits}': _fit(method, bits, frames)
    for method in closed_form.METHODS
    for bits in flags.bits
  }


def _learned(
  frames: np.ndarray,
  flags: argparse.Namespace,
  starters: dict[str, dict[str, np.ndarray]],
  done: dict[str, object],
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
  """Tables by name of all that is compared, but what is `done`."""
  yield from ((x, starters[x]) for x in starters if x not in done)
  for method in closed_form.METHODS:
    for bits in flags.bits:
      key = f'own {method} {bits}'
      if key not in done:
        yield key, _fit(method, bits, frames)


def _fit(method: str, bits: int, frames: np.ndarray) -> dict[str, np.ndarray]:
  def read() -> Iterator[np.ndarray]:
    return (frames[x : x + 128] for x in range(0, len(frames), 128))

  return closed_form.fit(method, bits, read, frames.shape)


_pool = jax.jit(log_covariance.pool)


def _scores(
  tables: dict[str, np.ndarray],
  frames: np.ndarray,
  classes: np.ndarray,
  query: np.ndarray,
  own: np.ndarray,
) -> dict[str, float]:
  """mAP@20 of each ranking."""
  rows = np.concatenate([query, own])
  vectors = np.asarray(_pool(frames[rows].astype(np.float32), tables))
  vectors = vectors - tables['mean']
  relaxed = vectors @ tables['projection'] - tables['threshold']
  codes = np.packbits(relaxed >= 0, axis=1)
  parts = lambda x: (x[: len(query)], x[len(query) :])  # noqa: E731
  (q, d), (t, t_own), (v, v_own) = map(parts, (codes, relaxed, vectors))
  wanted, known = classes[query], classes[own]
  found = evaluation.evaluate_codes(
    q, wanted, d, known, query_relaxed=t, ks=[_K]
  )
  scores = {x: found.value(_K, ranking=x) for x in ('hamming', 'asymmetric')}
  for name, (a, b) in {'t': (t, t_own), 'vectors': (v, v_own)}.items():
    found = evaluation.evaluate_vectors(a, wanted, b, known, ks=[_K])
    scores[name] = found.value(_K, ranking='cosine')
  return {name: round(value, 5) for name, value in scores.items()}


def _page(dataset: str, found: dict[str, dict[str, dict[str, float]]]) -> str:
  """The table: means over seeds, a row a code, a column a size."""
  lines = [f'# {dataset}: own codes, or those that come along', '']
  lines.append(__doc__.split('\n\n')[2])
  keys = {key for scores in found.values() for key in scores}
  for ranking in ('asymmetric', 'hamming', 't', 'vectors'):
    header = [ranking, 'draws', *map(str, SIZES)]
    rows = []
    for key in sorted(keys, key=lambda x: (x[:-4], int(x.split()[-1]))):
      columns = [_values(found, size, key, ranking) for size in SIZES]
      means = [f'{np.mean(x):.3f}'.removeprefix('0') for x in columns]
      rows.append([key, str(min(map(len, columns))), *means])
    lines += ['', records.markdown(header, rows)]
  return '\n'.join(lines) + '\n'


def _values(
  found: dict[str, dict[str, dict[str, float]]],
  size: int,
  key: str,
  ranking: str,
) -> list[float]:
  """The scores of one code at one size, of each draw."""
  return [
    scores[key][ranking]
    for name, scores in found.items()
    if name.endswith(f'/{size}') and key in scores
  ]


if __name__ == '__main__':
  errors.run_main(main)
