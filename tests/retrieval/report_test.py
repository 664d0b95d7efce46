"""The tables and files that people read."""

import csv
import os

import pytest

from nph_jax import errors
from nph_jax.retrieval import evaluation, report

PR_CURVE = [
  {'radius': r, 'precision': p, 'recall': c, 'exclude_self': e}
  for e in (False, True)
  for r, p, c in ((0, 1.0, 0.125), (1, 0.5, 0.25), (2, 0.25, 1.0))
]


def map_row(k, ranking, denominator, ties, exclude_self, value):
  return {
    'k': k,
    'ranking': ranking,
    'denominator': denominator,
    'ties': ties,
    'exclude_self': exclude_self,
    'value': value,
  }


def test_the_table_names_the_protocol_of_every_number():
  table = report.metrics_table(
    [
      map_row(5, 'hamming', 'min_rk', 'stable', False, 0.25),
      map_row(100, 'hamming', 'min_rk', 'stable', False, 0.125),
      map_row(5, 'asymmetric', 'k', 'expected', True, 1.0),
      map_row(100, 'asymmetric', 'k', 'expected', True, 0.0),
    ]
  )
  assert table.splitlines() == [
    '| ranking    | denominator | ties     | self match | mAP@5  | mAP@100 |',
    '| ---------- | ----------- | -------- | ---------- | ------ | ------- |',
    '| hamming    | min(R, K)   | stable   | kept       | 0.2500 | 0.1250  |',
    '| asymmetric | K           | expected | excluded   | 1.0000 | 0.0000  |',
  ]


def test_rows_of_an_older_metrics_json_are_of_the_hamming_ranking():
  row = map_row(5, 'hamming', 'k', 'stable', False, 0.5)
  table = report.metrics_table([row])
  del row['ranking']
  assert report.metrics_table([row]) == table


def test_the_summary_says_what_was_ranked_against_what():
  scored = evaluation.Evaluation([], [], 3, 400, 0)
  line = report.summary(scored, 64)
  assert '3 queries against 400 videos, 64 bits' in line
  assert 'Without' not in line and 'No mAP' not in line
  scored = evaluation.Evaluation([], [], 3, 40, 2)
  assert report.summary(scored, 64).endswith('Without relevant videos: 2.')
  assert 'No mAP@K for K above 40' in report.summary(scored, 64)


def test_the_curve_is_written_as_csv_and_png(tmp_path):
  report.write_pr_curve(tmp_path / 'new', PR_CURVE, 'ucf101_10 NPH 64 bits')
  with open(tmp_path / 'new' / 'pr_curve.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  assert [(int(r['radius']), float(r['recall'])) for r in rows] == [
    (row['radius'], row['recall']) for row in PR_CURVE
  ]
  assert [r['exclude_self'] for r in rows] == ['False'] * 3 + ['True'] * 3
  image = (tmp_path / 'new' / 'pr_curve.png').read_bytes()
  assert image.startswith(b'\x89PNG') and len(image) > 5000
  assert sorted(os.listdir(tmp_path / 'new')) == [
    'pr_curve.csv',
    'pr_curve.png',
  ]


def test_the_plot_shows_the_curve(tmp_path):
  images = []
  for name, curve in (('one', PR_CURVE[:3]), ('two', PR_CURVE)):
    report.write_pr_curve(tmp_path / name, curve)
    images.append((tmp_path / name / 'pr_curve.png').read_bytes())
  assert images[0] != images[1]


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
  def full(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr('pathlib.Path.write_bytes', full)
  with pytest.raises(errors.UserError, match='disk is full'):
    report.write_pr_curve(tmp_path, PR_CURVE)
  assert os.listdir(tmp_path) == []
