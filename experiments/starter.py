"""Makes the codes that come along with nph_jax, and says how good they are.

  python -m experiments.starter [--data=../shared/data]

Learned from the 1,093 videos of real_videos_unlabelled, none of which is of the
sets that they are scored on. Writes nph_jax/library/starter.
"""

from __future__ import annotations

import argparse
import io
import pathlib
from collections.abc import Iterator, Sequence

import h5py
import numpy as np

from nph_jax import atomic, errors
from nph_jax.data import labels as labels_lib
from nph_jax.library import closed_form, codes
from nph_jax.retrieval import evaluation

METHOD = 'itq_moments'
_SOURCE = 'real_videos_unlabelled'
_SETS = ('ucf101_10', 'ucf101_10_mini')
_K = 20


def main(argv: Sequence[str] | None = None) -> None:
  """Writes tables and README."""
  parser = errors.Parser(prog='python -m experiments.starter')
  parser.add_argument('--data', type=pathlib.Path, default='../shared/data')
  flags = parser.parse_args(argv)
  frames = _frames(flags, _SOURCE, f'{_SOURCE}_feats.h5')

  def read() -> Iterator[np.ndarray]:
    return (frames[x : x + 128] for x in range(0, len(frames), 128))

  tables = closed_form.fit(METHOD, codes.NUM_BITS, read, frames.shape)
  content = io.BytesIO()
  np.savez(content, **tables)
  atomic.write_bytes(codes.STARTER, content.getvalue())
  scores = {name: _scores(flags, name) for name in _SETS}
  readme = _readme(frames.shape, len(content.getvalue()), scores)
  atomic.write_text(codes.STARTER.with_name('README.md'), readme)


def _frames(flags: argparse.Namespace, folder: str, name: str) -> np.ndarray:
  with h5py.File(flags.data / folder / name) as file:
    return file['feats'][:]


def _scores(flags: argparse.Namespace, name: str) -> dict[str, float]:
  """mAP@20 by ranking, of queries against the database of a set."""
  hasher = codes.starter(25, 1280).load()
  split = {}
  for part in ('query', 'test'):
    path = flags.data / name / f'{name}_{part}'
    features = _frames(flags, name, f'{name}_{part}_feats.h5')
    labels = labels_lib.read_labels([f'{path}_labels.mat'])
    split[part] = *hasher.encode_relaxed(features), labels
  (q, t, wanted), (d, t_known, known) = split['query'], split['test']
  found = evaluation.evaluate_codes(
    q, wanted, d, known, query_relaxed=t, ks=[_K]
  )
  real = evaluation.evaluate_vectors(t, wanted, t_known, known, ks=[_K])
  return {
    'cosine': real.value(_K, ranking='cosine'),
    **{x: found.value(_K, ranking=x) for x in ('asymmetric', 'hamming')},
  }


def _readme(
  shape: tuple[int, ...], size: int, scores: dict[str, dict[str, float]]
) -> str:
  order = ('cosine', 'asymmetric', 'hamming')
  rows = '\n'.join(
    f'| {name} | {" | ".join(f"{found[x]:.3f}" for x in order)} |'
    for name, found in scores.items()
  )
  return f"""# The codes of a new library

`tables.npz`, {size / 1e6:.1f} MB: `{METHOD}` of {codes.NUM_BITS} bits for
{shape[1]} frames of EfficientNet-Lite0, {shape[2]} wide, learned in closed form
from {shape[0]:,} real videos: UCF101 clips (make-up, babies, basketball,
diving, surfing, swings, dogs and others; arXiv:1212.0402) and 300 clips of
surveillance cameras (Akti, Tataroglu, Ekenel, IPTA 2019). None of the videos
below is among them, nor any of their scenes. Made by

    python -m experiments.starter

mAP@{_K} (min_rk, ties expected) of query against database:

| set | cosine of t | asymmetric | Hamming |
|---|---|---|---|
{rows}

By the cosine of t it is ranked (`nph-jax search`). A library of {codes.FIRST}
videos or more learns better codes of its own:
[own_codes.md](../../../experiments/results/own_codes-ucf101_10.md).
"""


if __name__ == '__main__':
  errors.run_main(main)
