"""What identifies a cell, and its file of results."""

import dataclasses
import json
import pathlib

import pytest

from experiments import cells
from nph_jax import configuration, errors


def a_cell(**changes):
  values = {'train.num_steps': 30, 'data.canvas': 10}
  cell = cells.Cell('digits', 'configs/moving_digits.py', 'nph', 16, 1, values)
  return dataclasses.replace(cell, **changes)


def test_the_configuration_is_the_file_with_the_values(where, tmp_path):
  config = a_cell().config(where)
  assert (config.method, config.num_bits, config.seed) == ('nph', 16, 1)
  assert config.data.canvas == 10
  assert (config.train.num_steps, config.train.num_epochs) == (30, 0)
  assert pathlib.Path(config.data.dir).is_relative_to(tmp_path)


@pytest.mark.parametrize(
  'changes',
  [
    {'method': 'random'},
    {'bits': 32},
    {'seed': 2},
    {'values': {'train.num_steps': 31, 'data.canvas': 10}},
  ],
)
def test_the_digest_follows_what_decides_results(where, changes):
  other = a_cell(**changes).digest(where)
  assert other != a_cell().digest(where)


def test_a_value_that_came_later_counts_where_it_is_changed(where):
  cell = a_cell()
  plain = cells.flat_values(cell.config(where))
  assert not set(configuration.LATER) & set(plain)
  values = {**cell.values, 'train.cosine': True}
  changed = dataclasses.replace(cell, values=values)
  assert cells.flat_values(changed.config(where))['train.cosine']
  assert changed.digest(where) != cell.digest(where)


def test_the_digest_ignores_where_things_lie(where, tmp_path):
  cell = a_cell()
  moved = dataclasses.replace(
    cell, values={**cell.values, 'data.source_dir': '/x', 'checkpoint.keep': 9}
  )
  elsewhere = cells.Folders(tmp_path / 'a', tmp_path / 'b')
  assert moved.digest(elsewhere) == cell.digest(where)


def test_done_is_a_file_of_this_configuration(where):
  cell = a_cell()
  assert not cell.is_done(where)
  record = {'digest': cell.digest(where), 'map': {}, 'pr_curve': [1, 2]}
  cells.write(cell.path(where), record)
  assert not cell.is_done(where)  # it lacks the asymmetric ranking
  record['map_asymmetric'] = {}
  cells.write(cell.path(where), record)
  assert cell.is_done(where)
  assert cells.read(cell.path(where)) == record
  other = a_cell(values={'train.num_steps': 31})
  assert other.path(where) == cell.path(where)
  assert not other.is_done(where)


def test_a_file_of_results_has_a_line_for_each_entry(tmp_path):
  path = tmp_path / 'a' / 'cell.json'
  cells.write(path, {'digest': 'd', 'map': {'k': {'5': 0.5}}})
  assert len(path.read_text().splitlines()) == 4
  assert json.loads(path.read_text())['map']['k']['5'] == 0.5
  assert [p.name for p in path.parent.iterdir()] == ['cell.json']


@pytest.mark.parametrize('text', ['', '{"map": {}}', '[]'])
def test_a_damaged_file_is_named(tmp_path, text):
  path = tmp_path / 'cell.json'
  path.write_text(text)
  with pytest.raises(errors.UserError, match='cell.json'):
    cells.read(path)


def test_bad_values_and_files_are_named(where):
  with pytest.raises(errors.UserError, match='train.num_stepz'):
    a_cell(values={'train.num_stepz': 3}).config(where)
  with pytest.raises(errors.UserError, match='data.canvas'):
    a_cell(values={'data.canvas': 'wide'}).config(where)
  with pytest.raises(errors.UserError, match='none.py'):
    a_cell(config_file='none.py').config(where)


def test_a_lock_is_held_by_one(tmp_path):
  with cells.locked(tmp_path / 'x.lock') as mine:
    assert mine
    with cells.locked(tmp_path / 'x.lock', wait=False) as second:
      assert not second
  with cells.locked(tmp_path / 'x.lock', wait=False) as again:
    assert again
