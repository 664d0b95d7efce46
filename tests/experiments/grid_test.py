"""Running cells: what is skipped, done again and survives, and a micro grid."""

import json

import numpy as np
import pytest

from experiments import (
  cells,
  command_line,
  figure3_map,
  grid,
  paper,
  running,
  settings,
)
from nph_jax import errors
from nph_jax.models import registry


@pytest.fixture
def done(monkeypatch):
  """Cells that a stand-in for `running.run` has done; seed 13 fails."""
  names = []

  def run(cell, folders):
    if cell.seed == 13:
      raise ValueError('unlucky')
    names.append(cell.name)
    record = {
      'digest': cell.digest(folders),
      'map': {'min_rk,expected': {}},
      'map_asymmetric': {},
    }
    cells.write(cell.path(folders), record)
    return record

  monkeypatch.setattr(running, 'run', run)
  return names


def dataset(**values):
  return command_line.Dataset('digits', 'configs/moving_digits.py', values)


def test_finished_cells_are_skipped_and_removed_ones_done_again(where, done):
  wanted = dataset().cells([('nph', 8), ('nph', 16)], 0)
  grid.run(wanted, where)
  assert done == ['nph-8-0', 'nph-16-0']
  grid.run(wanted, where)
  assert len(done) == 2
  wanted[1].path(where).unlink()
  grid.run(wanted, where)
  assert done[2:] == ['nph-16-0']


def test_a_failing_cell_does_not_stop_the_others(where, done):
  wanted = [
    *dataset().cells([('nph', 8)], 13),
    *dataset().cells([('nph', 8)], 1),
  ]
  assert grid.run(wanted, where) == ['digits/nph-8-13']
  assert done == ['nph-8-1']
  (log,) = where.scratch.rglob('*.log')
  assert 'unlucky' in log.read_text()
  assert not wanted[0].path(where).exists()


def test_a_cell_that_another_process_does_is_left_to_it(where, done):
  (cell,) = dataset().cells([('nph', 8)], 0)
  folder = cell.workdir(where)
  with cells.locked(folder.with_name(f'{folder.name}.lock')):
    grid.run([cell], where)
  assert done == []


def test_the_default_grid(monkeypatch):
  names = [n for n in paper.names() if n not in settings.REFERENCES]
  monkeypatch.setattr(grid, 'available', lambda chosen: chosen or names)
  flags = command_line.parser('x')
  argv = ['--config=configs/moving_digits.py']
  chosen = command_line.options(flags, argv)

  def hashing(seed, **how):
    found = grid.default_pairs(chosen, seed, **how)
    assert len(set(found)) == len(found)
    return [p for p in found if p[0] not in settings.REFERENCES]

  first, second = hashing(0), hashing(1)
  main = {(m, b) for m in settings.MAIN_METHODS for b in (16, 32, 64)}
  assert set(second) == main
  table3 = {(m, b) for m in settings.ABLATIONS for b in (32, 64)}
  assert set(first) == main | table3 | {(name, 32) for name in names}
  # A grid that was cut is whole at the first length.
  assert [b for _, b in first[: len(names)]] == [32] * len(names)
  assert len(hashing(1, full=True)) == 3 * len(names)
  some = command_line.options(flags, [*argv, '--methods=dh', '--bits=8,32'])
  assert ('dh', 8) in grid.default_pairs(some, 2)


def test_failures_are_told_at_the_end(where, done, monkeypatch):
  def cells_of(one, seed):
    if seed == 2:
      raise errors.UserError('no labels')
    return one.cells([('nph', 8)], seed)

  monkeypatch.setattr(command_line, '_datasets', lambda *_: [dataset()])
  chosen = command_line.options(
    command_line.parser('x'),
    [
      '--seeds=13,2,1',
      f'--results={where.results}',
      f'--scratch={where.scratch}',
    ],
  )
  monkeypatch.setattr(grid.pages, 'write_all', lambda results: {})
  words = 'failed: digits/nph-8-13, digits of seed 2;'
  with pytest.raises(errors.UserError, match=words):
    grid.run_all(chosen, cells_of)
  assert done == ['nph-8-1']


def test_a_finished_cell_runs_again_only_for_its_scratch_files(where, done):
  (cell,) = dataset().cells([('nph', 8)], 0)
  grid.run([cell], where)
  before = cell.path(where).read_text()
  grid.run_again(cell, where, [cell.path(where)])
  assert done == ['nph-8-0']
  grid.run_again(cell, where, [where.scratch / 'gone.npy'])
  assert done == ['nph-8-0'] * 2
  unlucky = dataset().cells([('nph', 8)], 13)[0]
  cells.write(unlucky.path(where), {'digest': '', 'map': {}})
  with pytest.raises(ValueError, match='unlucky'):
    grid.run_again(unlucky, where, [where.scratch / 'gone.npy'])
  assert unlucky.path(where).exists() and before


def test_methods_are_those_of_the_registry(monkeypatch):
  entry = registry.METHODS['nph']
  monkeypatch.setattr(registry, 'METHODS', {'newer': entry, 'itq': entry})
  assert grid.available() == ['newer', 'itq', *settings.VARIANTS]
  assert grid.available(['itq', 'random']) == ['itq', 'random']
  with pytest.raises(errors.UserError, match='--methods: none: no such'):
    grid.available(['itq', 'none'])


def test_the_command_line():
  flags = command_line.parser('x')
  chosen = command_line.options(
    flags,
    [
      '--config=configs/moving_digits.py',
      '--name=mine',
      '--bits=8,64',
      '--seeds=3',
      '--config.train.learning_rate=0.01',
      '--config.data.name=moving_digits',
    ],
  )
  assert (chosen.bits, chosen.seeds, chosen.methods) == ((8, 64), (3,), ())
  (one,) = chosen.datasets
  assert one.name == 'mine'
  assert one.values['train.learning_rate'] == 0.01
  assert one.values['data.name'] == 'moving_digits'
  assert one.values['data.train.num_videos'] == 10_000  # of the settings


@pytest.mark.parametrize(
  'argv, words',
  [
    (['--oops'], 'oops'),
    (['--bits=12'], 'multiples of 8'),
    (['--bits='], 'bits'),
    (['--seeds='], 'seeds'),
    (['--config=configs/fcvid.py:nph,bits=64'], '--methods and --bits'),
    (['--seeds=a'], 'seeds'),
    (['--name=x'], '--config'),
    (['--config=none.py'], 'none.py'),
    (['--config=configs/fcvid.py', '--data_dir=/none'], 'fcv_train_feats.h5'),
    (['--config=configs/moving_digits.py', '--config.trian.x=1'], 'trian.x'),
  ],
)
def test_bad_command_lines_get_one_sentence(argv, words):
  with pytest.raises(errors.UserError, match=words):
    command_line.options(command_line.parser('x'), argv)


def test_default_data_sets_are_those_at_hand(monkeypatch, shared_data):
  shared_data('ucf101_10')
  names = [
    d.name for d in command_line.options(command_line.parser('x'), []).datasets
  ]
  assert [n for n in names if n != 'ucf101_vgg14'] == [
    'ucf101_10',
    'moving_digits',
  ]


def test_every_method_of_the_settings_is_one():
  named = {
    *settings.MAIN_METHODS,
    *settings.HEADLINE_METHODS,
    *settings.METHOD_VALUES,
    *settings.LENGTHS,
    *(name for one in settings.EPOCHS.values() for name in one),
    *settings.ABLATIONS,
    *settings.TRANSFER_METHODS,
    *settings.PR_METHODS,
    *settings.EXAMPLE_METHODS,
  }
  assert named <= {*registry.METHODS, *settings.VARIANTS, *settings.REFERENCES}


def test_a_method_has_its_own_length_unless_the_command_line_sets_one(
  monkeypatch,
):
  monkeypatch.setitem(settings.EPOCHS, 'moving_digits', {'wsch': 21})
  flags = command_line.parser('x')
  argv = ['--config=configs/moving_digits.py']

  def config_of(method, *more):
    (one,) = command_line.options(flags, [*argv, *more]).datasets
    return one.cells([(method, 32)], 0)[0].config(cells.Folders())

  config = config_of('wsch')
  assert (config.train.num_epochs, config.train.num_steps) == (21, 0)
  assert config.method_options.first_epochs == 3  # 100 of 700
  assert config_of('itq').train.num_steps == 600
  config = config_of('wsch', '--config.train.num_steps=4')
  assert (config.train.num_epochs, config.train.num_steps) == (0, 4)
  assert config_of('bth').neighborhood.features == 'neighbors'
  begun = config_of('conmh_begun')
  assert begun.method == 'conmh'
  assert begun.method_options.start == 'itq_neighbors'
  assert not config_of('conmh').method_options.start
  assert settings.of_methods('fcvid') == {}  # as published


def test_no_data_set_at_all_is_told(monkeypatch):
  monkeypatch.setattr(command_line, '_is_there', lambda config_file: False)
  with pytest.raises(errors.UserError, match='none of ucf101_10 is beside'):
    command_line.options(command_line.parser('x'), [], ['ucf101_10'])


@pytest.mark.filterwarnings('ignore:optax.global_norm')
def test_a_micro_grid_end_to_end(flags, where, tmp_path):
  argv = [*flags, '--methods=nph', '--bits=32']
  figure3_map.main(argv)
  folder = where.results / 'moving_digits'
  names = {p.stem for p in folder.iterdir()}
  assert names == {'cosine-0-0', 'random-32-0', 'nph-32-0'}
  record = json.loads((folder / 'nph-32-0.json').read_text())
  assert record['videos'] == {'train': 64, 'query': 8, 'database': 100}
  assert record['steps'] == 3 and record['train_cpu_seconds'] > 0
  assert 0 <= record['map']['min_rk,expected']['20'] <= 1
  assert 'min_rk,expected,exclude_self' in record['map_all_against_all']
  assert record['pr_curve']['recall'][-1] == 1
  assert str(tmp_path) not in json.dumps(record)
  # Codes stay for figure5_examples, and nothing else.
  workdirs = (where.scratch / 'moving_digits').glob('nph-32-0-*[0-9a-f]/')
  (workdir,) = workdirs
  assert [p.name for p in workdir.iterdir()] == ['codes']
  assert np.load(workdir / 'codes' / 'database.npy').shape == (100, 4)
  # Where the cells of a seed share it.
  shared = (where.scratch / 'neighborhood').iterdir()
  kinds = sorted(path.name.startswith('features-') for path in shared)
  assert kinds == [False, True]
  page = (where.results / 'moving_digits.md').read_text()
  assert '## mAP@K, 32 bits' in page and 'all against all' in page
  before = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
  figure3_map.main(argv)
  assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == before
