"""The command line: its results, and a sentence for every bad input."""

import json
import os
import pathlib

import numpy as np
import programs
import pytest
import scipy.io

from nph_jax import errors
from nph_jax.retrieval import evaluate, evaluation


@pytest.fixture
def files(tmp_path, monkeypatch):
  """Query and database of 24-bit codes in the working directory."""
  monkeypatch.chdir(tmp_path)
  rng = np.random.default_rng(0)
  for name, number in (('query', 12), ('database', 30)):
    codes = rng.integers(0, 256, (number, 3), dtype=np.uint8)
    labels = (rng.random((number, 4)) < 0.4).astype(np.uint8)
    signs = np.unpackbits(codes, axis=1) * 2.0 - 1
    np.save(f'{name}_t.npy', signs * rng.random((number, 24)))
    np.save(f'{name}_codes.npy', codes)
    np.save(f'{name}_labels.npy', labels)
  return tmp_path


NAMES = 'query_codes', 'query_labels', 'database_codes', 'database_labels'


def arrays():
  return [np.load(f'{name}.npy') for name in NAMES]


def flags(**changes):
  values = {name: f'{name}.npy' for name in NAMES} | changes
  return [f'--{name}={value}' for name, value in values.items()]


def run(*arguments):
  return programs.run('-m', 'nph_jax.retrieval.evaluate', *arguments)


def test_prints_the_table_and_writes_the_json(files):
  done = run(*flags(out='scores/result.json'))
  assert (done.returncode, done.stderr) == (0, '')
  assert '12 queries against 30 videos, 24 bits' in done.stdout
  assert '| hamming | K           | expected | kept       |' in done.stdout
  assert 'excluded' not in done.stdout
  with open('scores/result.json') as file:
    result = json.load(file)
  scored = evaluation.evaluate_codes(*arrays())
  assert result == {
    'num_bits': 24,
    'splits': {'query': 12, 'database': 30},
    'queries_without_relevant': scored.queries_without_relevant,
    'map': scored.map,
    'pr_curve': scored.pr_curve,
  }


def test_exclude_self_scores_with_and_without(files, capsys):
  same = {'query_codes': 'database_codes.npy', 'query_labels': 'l.mat'}
  scipy.io.savemat('l.mat', {'re_label': np.load('database_labels.npy')})
  evaluate.main([*flags(out='o.json', **same), '--exclude_self'])
  with open('o.json') as file:
    values = {
      (row['ties'], row['k'], row['exclude_self']): row['value']
      for row in json.load(file)['map']
      if row['denominator'] == 'k'
    }
  assert values['expected', 5, True] < values['expected', 5, False]
  assert 'excluded' in capsys.readouterr().out


def test_with_t_the_asymmetric_ranking_is_reported_too(files, capsys):
  evaluate.main(flags(query_relaxed='query_t.npy', out='o.json'))
  with open('o.json') as file:
    result = json.load(file)
  relaxed = np.load('query_t.npy')
  scored = evaluation.evaluate_codes(*arrays(), query_relaxed=relaxed)
  assert result['map'] == scored.map
  assert '\n| asymmetric | K           | expected |' in capsys.readouterr().out


def t_with(row, column, value):
  def make(path):
    relaxed = np.load('query_t.npy')
    relaxed[row, column] = value
    np.save(path, relaxed)

  return make


def test_a_t_of_zero_is_plus_one(files):
  codes = np.load('query_codes.npy')
  codes[0] = 255
  np.save('query_codes.npy', codes)
  t_with(0, slice(None), 0.0)('zero.npy')
  evaluate.main(flags(query_relaxed='zero.npy'))


def truncated(path):
  content = pathlib.Path('query_codes.npy').read_bytes()
  pathlib.Path(path).write_bytes(content[:-5])


def saved(array, **options):
  return lambda path: np.save(path, array, **options)


def archived(path):
  with open(path, 'wb') as file:
    np.savez(file, codes=np.zeros((12, 3), np.uint8))


@pytest.mark.parametrize(
  ('name', 'make', 'complaint'),
  [
    ('codes', lambda path: None, 'no such file'),
    ('codes', lambda path: os.mkdir(path), 'no such file'),
    ('codes', saved(np.zeros((12, 3))), 'float64 of shape (12, 3)'),
    ('codes', saved(np.zeros((12, 3), np.int8)), 'int8 of shape (12, 3)'),
    ('codes', saved(np.zeros(12, np.uint8)), 'uint8 of shape (12,)'),
    ('codes', saved(np.zeros((0, 3), np.uint8)), 'uint8 of shape (0, 3)'),
    (
      'codes',
      saved(np.zeros((12, 4), np.uint8)),
      'codes of 32 bits, but those of',
    ),
    ('codes', saved(np.eye(12, 24, dtype=np.uint8)), 'bits are not packed'),
    ('codes', saved(np.array([{}]), allow_pickle=True), 'pickled objects'),
    ('codes', truncated, 'truncated'),
    ('codes', lambda path: open(path, 'w').close(), 'not a .npy file'),
    (
      'codes',
      lambda path: pathlib.Path(path).write_text('codes'),
      'not a .npy file',
    ),
    ('codes', archived, 'an archive of several arrays'),
    (
      'codes',
      saved(np.zeros((11, 3), np.uint8)),
      '12 rows of labels for the 11 codes',
    ),
    ('relaxed', lambda path: None, 'no such file; expected the real-valued t'),
    (
      'relaxed',
      lambda path: pathlib.Path(path).write_text('t'),
      'not a .npy file',
    ),
    (
      'relaxed',
      lambda path: np.save(path, np.load('query_t.npy')[1:]),
      '(11, 24)',
    ),
    (
      'relaxed',
      lambda path: np.save(path, np.load('query_t.npy')[:, 1:]),
      '(12, 23)',
    ),
    (
      'relaxed',
      lambda path: np.save(path, np.load('query_codes.npy')),
      'uint8 of shape',
    ),
    ('relaxed', t_with(3, 5, np.nan), 'row 3 holds NaN or infinity'),
    (
      'relaxed',
      t_with(4, slice(None), 0),
      'the signs of row 4 are not the code',
    ),
  ],
)
def test_a_bad_file_gets_one_sentence(files, name, make, complaint):
  make('bad.npy')
  with programs.one_sentence('bad.npy', complaint):
    evaluate.main(flags(**{f'query_{name}': 'bad.npy'}, out='out.json'))
  assert not os.path.exists('out.json')


@pytest.mark.parametrize(
  ('changes', 'more', 'complaint'),
  [
    ({'query_labels': 'gone.npy'}, [], 'gone.npy: no such file'),
    ({'query_labels': 'wide.npy'}, [], 'wide.npy: 5 label columns, but'),
    (
      {'query_labels': 'database_labels.npy'},
      [],
      '30 rows of labels for the 12',
    ),
    ({}, ['--exclude_self'], '12 codes, but database_codes.npy has 30'),
    ({}, ['--shuffle'], 'unrecognized arguments: --shuffle'),
    ({}, ['--exclude'], 'unrecognized arguments: --exclude'),
    ({'out': 'query_codes.npy/x.json'}, [], 'cannot be written'),
    ({'out': '.'}, [], 'cannot be written'),
  ],
)
def test_what_does_not_fit_gets_one_sentence(files, changes, more, complaint):
  np.save('wide.npy', np.zeros((12, 5), np.uint8))
  before = sorted(os.listdir())
  with programs.one_sentence(complaint):
    evaluate.main([*flags(**changes), *more])
  assert sorted(os.listdir()) == before


def test_missing_flags_are_named():
  with pytest.raises(errors.UserError, match='required: --query_labels'):
    evaluate.main(['--query_codes=query_codes.npy'])


def test_a_mistake_ends_with_exit_code_one_and_no_traceback(files):
  for arguments in (flags(query_codes='gone.npy'), [*flags(), '--bogus']):
    programs.assert_failed(run(*arguments), '')
