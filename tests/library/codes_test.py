"""Which codes a library has, and that they are what they are said to be."""

import re

import h5py
import numpy as np
import pytest

from nph_jax.data import labels
from nph_jax.library import closed_form, codes
from nph_jax.retrieval import evaluation


def frames(count, width=8, num_frames=4):
  rng = np.random.default_rng(0)
  return rng.random((count, num_frames, width)).astype(np.float16)


def log_moments(video, tables):
  """The vector of models.log_covariance, by its definition, in float64."""
  directions = tables['frame_directions'].astype(np.float64)
  z = (video.astype(np.float64) - tables['frame_mean']) @ directions
  z = np.hstack([z, np.full((len(z), 1), 3.0)])
  values, vectors = np.linalg.eigh(z.T @ z / len(z))
  logarithm = np.log1p(np.maximum(values, 0) / 0.01)
  matrix = vectors @ np.diag(logarithm) @ vectors.T
  rows, columns = np.triu_indices(len(matrix))
  weights = np.where(rows == columns, 1, np.sqrt(2))
  return matrix[rows, columns] * weights


@pytest.mark.parametrize('method', list(closed_form.METHODS))
def test_what_is_exported_is_the_map_of_the_tables(method):
  videos = frames(20)
  tables = closed_form.fit(method, 16, lambda: iter([videos]), videos.shape)
  made = closed_form.export(method, tables, 4, {'dataset': 'toy'})
  packed, relaxed = made.load().encode_relaxed(videos)
  vectors = np.stack([log_moments(video, tables) for video in videos])
  expected = (vectors - tables['mean']) @ tables['projection']
  np.testing.assert_allclose(relaxed, expected, atol=2e-3)
  np.testing.assert_array_equal(packed, np.packbits(relaxed >= 0, axis=1))


def test_the_starter_is_small_and_of_its_network_alone():
  assert codes.STARTER.stat().st_size < 4e6
  assert codes.starter(25, 4096) is None
  made = codes.starter(9, 1280).load()
  assert (made.num_bits, made.num_frames, made.feature_dim) == (128, 9, 1280)
  assert codes.learned_from(made) == 0 and codes.is_ranked_by_t(made)


def test_the_starter_is_as_good_as_its_readme_says(shared_data):
  folder = shared_data('ucf101_10_mini')
  hasher = codes.starter(25, 1280).load()
  split = {}
  for part in ('query', 'test'):
    path = folder / f'ucf101_10_mini_{part}'
    with h5py.File(f'{path}_feats.h5') as file:
      encoded = hasher.encode_relaxed(file['feats'][:])
    split[part] = *encoded, labels.read_labels([f'{path}_labels.mat'])
  (q, t, wanted), (d, _, known) = split['query'], split['test']
  found = evaluation.evaluate_codes(
    q, wanted, d, known, query_relaxed=t, ks=[20]
  )
  text = codes.STARTER.with_name('README.md').read_text()
  said = re.search(r'ucf101_10_mini \| \S+ \| (\S+) \| (\S+) \|', text)
  measured = [found.value(20, ranking=x) for x in ('asymmetric', 'hamming')]
  np.testing.assert_allclose(
    measured, [float(x) for x in said.groups()], 0, 3e-3
  )


class _Made:
  """What stands for a hasher where only its manifest is asked for."""

  def __init__(self, **manifest):
    self.manifest = manifest


@pytest.mark.parametrize(
  'before, due',
  [(0, 45), (45, 90), (5, 10), (100, 200)],
)
def test_codes_are_learned_again_at_every_doubling(before, due):
  made = _Made(library_videos=before)
  assert not codes.is_due(made, due - 1)
  assert codes.is_due(made, due)


def test_a_given_bundle_is_never_due():
  assert not codes.is_due(_Made(method='itq_moments'), 10**6)
  assert not codes.is_ranked_by_t(_Made(method='itq_moments'))


def test_neighbors_are_for_those_who_have_some():
  assert codes.method_for(codes.NEIGHBORS - 1) == 'itq_moments'
  assert codes.method_for(codes.NEIGHBORS) == 'itq_neighbors'
