"""The run's folder: what may be continued there, and what is said if not."""

import json

import pytest

from nph_jax import configuration, errors
from nph_jax.workdir import Workdir


@pytest.fixture
def root(tmp_path):
  """A folder that belongs to the base configuration."""
  folder = tmp_path / 'run'
  Workdir(str(folder)).write_config(configuration.base())
  return folder


def config(**values):
  made = configuration.base()
  made.update(values)
  return made


def complaint(folder, made):
  with pytest.raises(errors.UserError) as caught:
    Workdir(str(folder)).check_config(made)
  text = str(caught.value)
  assert '\n' not in text and text.startswith(f'--workdir={folder}: ')
  return text


def test_a_new_folder_is_fine_and_checking_makes_nothing(tmp_path):
  Workdir(str(tmp_path / 'a' / 'b')).check_config(configuration.base())
  assert list(tmp_path.iterdir()) == []


def test_config_json_is_the_configuration(root):
  stored = json.loads((root / 'config.json').read_text())
  assert stored == json.loads(configuration.base().to_json())
  assert stored['eval']['ks'] == [5, 10, 20, 40, 60, 80, 100]


def test_the_same_configuration_and_longer_ones_continue(root):
  Workdir(str(root)).check_config(configuration.base())
  Workdir(str(root)).check_config(
    config(train={'num_epochs': 500}, logging={'every_steps': 1})
  )


@pytest.mark.parametrize(
  ('values', 'expected'),
  [
    ({'seed': 7}, 'config.seed was 0 and is 7 now'),
    ({'train': {'batch_size': 9}}, 'config.train.batch_size was 0 and is 9'),
    (
      {'method_options': {'attention': {'scale': 64.0}}},
      'config.method_options.attention.scale was 256.0 and is 64.0',
    ),
    ({'eval': {'ks': (5,)}}, 'config.eval.ks was [5, 10, 20, 40, 60, 80, 100]'),
  ],
)
def test_another_configuration_names_the_field(root, values, expected):
  assert expected in complaint(root, config(**values))


def test_a_field_of_another_version_is_named(root):
  stored = json.loads((root / 'config.json').read_text())
  stored['loss'] = {'old_field': 3}
  (root / 'config.json').write_text(json.dumps(stored))
  text = complaint(root, configuration.base())
  assert 'config.loss.old_field was 3 and is None now' in text


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
  (tmp_path / 'file').touch()
  assert 'is a file' in complaint(tmp_path / 'file', configuration.base())
  below = complaint(tmp_path / 'file' / 'a' / 'b', configuration.base())
  assert f'{tmp_path / "file"} is a file' in below


def test_a_folder_that_cannot_be_made_is_an_error():
  with pytest.raises(errors.UserError, match='--workdir=/proc/nph: cannot be'):
    Workdir('/proc/nph').write_config(configuration.base())


@pytest.mark.parametrize('content', [b'{"seed": ', b'', b'\xff'])
def test_a_damaged_config_is_an_error(root, content):
  (root / 'config.json').write_bytes(content)
  with pytest.raises(errors.UserError, match='config.json: is not JSON'):
    Workdir(str(root)).check_config(configuration.base())


def test_stamps_are_kept_apart(root):
  workdir = Workdir(str(root))
  assert workdir.stamp('train') is None
  workdir.set_stamp('train', {'step': 3})
  workdir.set_stamp('export', [1])
  workdir.set_stamp('train', {'step': 4})
  assert Workdir(str(root)).stamp('train') == {'step': 4}
  assert workdir.stamp('export') == [1]
  assert workdir.stamp('evaluate') is None


def test_data_that_changed_are_an_error(root):
  Workdir(str(root)).check_data_key('a')
  Workdir(str(root)).check_data_key('a')
  with pytest.raises(errors.UserError, match='other feature or label files'):
    Workdir(str(root)).check_data_key('b')
  assert Workdir(str(root)).stamp('data_key') == 'a'
