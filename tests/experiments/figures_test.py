"""The figures: what they show, and that they are drawn."""

import types
import xml.etree.ElementTree

import numpy as np
from PIL import Image

from experiments import figure4_pr, figure5_examples, records, thumbnails


def record(seed, precision):
  return {
    'method': 'nph',
    'bits': 16,
    'seed': seed,
    'pr_curve': {
      'radius': [0, 8, 16],
      'precision': precision,
      'recall': [0.0, 0.5, 1.0],
    },
  }


def test_curves_are_means_over_seeds(tmp_path):
  both = [record(0, [1.0, 0.4, 0.1]), record(1, [0.5, 0.2, 0.1])]
  recall, precision = figure4_pr.mean_curve(both)
  np.testing.assert_allclose(precision, [0.75, 0.3, 0.1])
  np.testing.assert_allclose(recall, [0, 0.5, 1])
  results = records.Results(both)
  path = tmp_path / 'a.svg'
  figure4_pr.draw(path, results, ['nph', 'itq'], [16, 32])
  root = xml.etree.ElementTree.fromstring(path.read_text())
  assert root.tag.endswith('svg')
  first = path.read_bytes()
  figure4_pr.draw(path, results, ['nph', 'itq'], [16, 32])
  assert path.read_bytes() == first


def test_the_nearest_by_distance_then_row():
  rng = np.random.default_rng(0)
  query = rng.integers(0, 256, (5, 1), np.uint8)
  database = rng.integers(0, 256, (60, 1), np.uint8)
  rows, distances = figure5_examples.nearest(query, database, 10)
  for q in range(5):
    by_hand = sorted(
      (bin(int(query[q, 0]) ^ int(d)).count('1'), row)
      for row, d in enumerate(database[:, 0])
    )[:10]
    assert [row for _, row in by_hand] == rows[q].tolist()
    assert [distance for distance, _ in by_hand] == distances[q].tolist()


def test_queries_of_different_labels():
  labels = np.array([[1, 0], [1, 0], [1, 1], [0, 1], [1, 1]], np.uint8)
  assert figure5_examples.different_queries(labels, 2) == [0, 2]
  assert figure5_examples.different_queries(labels, 9) == [0, 2, 3]


def split(width, seed):
  rng = np.random.default_rng(seed)
  labels = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, 20)]
  frames = rng.random((20, 4, width)).astype(np.float16)
  read = lambda rows: {'frames': frames[rows], 'labels': labels[rows]}  # noqa: E731
  return types.SimpleNamespace(read=read)


def test_examples_are_drawn_with_hits_and_misses(tmp_path):
  splits = {'query': split(100, 0), 'database': split(100, 1)}
  rows = np.arange(20).reshape(2, 10)
  found = {'nph': (rows, rows), 'ssvh': (rows[::-1], rows)}
  pictures = dict.fromkeys(splits, thumbnails.of_pixels)
  figure5_examples.draw(tmp_path / 'a.png', splits, [0, 1], found, pictures)
  with Image.open(tmp_path / 'a.png') as picture:
    pixels = np.asarray(picture.convert('RGB'))
  flat = {tuple(p) for p in pixels.reshape(-1, 3)}
  assert {(44, 160, 44), (214, 39, 40)} <= flat  # both borders
