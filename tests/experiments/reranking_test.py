"""Re-ranking measured: average precision by hand, and a whole run."""

import numpy as np
import pytest

from experiments import cells, reranking
from nph_jax.stages import evaluating


def test_average_precision_by_hand():
  labels = np.array([[1, 0], [0, 1], [1, 1], [0, 1]], np.uint8)
  query = np.array([[1, 0], [0, 1]], np.uint8)
  # Relevant to the first: rows 0 and 2; to the second: 1, 2 and 3.
  found = [[1, 2, 0], [2, 0]]
  first = (1 / 2 + 2 / 3) / 2
  second = 1 / 3
  assert reranking.average_precision(found, query, labels) == pytest.approx(
    (first + second) / 2
  )


def test_t_tells_apart_what_the_codes_cannot():
  """All codes are equal; t of a class points its own way."""
  number, bits = 120, 8
  classes = np.arange(number) % 2
  rng = np.random.default_rng(0)
  relaxed = rng.uniform(0.1, 0.2, (number, bits)).astype(np.float32)
  relaxed[:, :4] += classes[:, None]
  relaxed[:, 4:] += 1 - classes[:, None]
  encoded = evaluating.EncodedSplit(
    np.full((number, 1), 255, np.uint8),
    relaxed,
    np.eye(2, dtype=np.uint8)[classes],
    np.zeros(number),
  )
  found = reranking.measure(encoded, encoded)
  assert list(found) == ['0', '20', '50', '100', '200', 'all']
  values = [result['map'] for result in found.values()]
  assert values[0] < 0.6 and values[2:] == [1.0] * 4
  assert values[0] <= values[1] < 1


def test_a_run_leaves_a_page_and_is_not_done_twice(flags, where, capsys):
  argv = [*flags, '--methods=itq', '--bits=8']
  reranking.main(argv)
  text = (where.results / 'reranking.md').read_text()
  assert '|  | bits | - | R = 20 | R = 50 |' in text
  assert text.count('\n| ITQ | 8 | .') == 1 and '\n| ms a query' in text
  (path,) = (where.results / 'reranking').rglob('*.json')
  depths = cells.read(path)['reranking']
  assert depths['0']['map'] > 0 and depths['all']['milliseconds'] > 0
  assert 'itq-8-0' in capsys.readouterr().err
  reranking.main(argv)
  assert 'itq-8-0' not in capsys.readouterr().err
