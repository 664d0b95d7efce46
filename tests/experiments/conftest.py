"""A data set of moving digits so small that a cell takes a second or two."""

import pytest

from experiments import cells, command_line

CONFIG = 'configs/moving_digits.py'
VALUES = {
  'data.train.num_videos': 64,
  'data.query.num_videos': 8,
  'data.database.num_videos': 100,
  'data.canvas': 9,
  'data.num_frames': 3,
  'model.hidden_width': 8,
  'method_options.memory_width': 8,
  'neighborhood.width': 8,
  'neighborhood.num_steps': 3,
  'neighborhood.num_anchors': 7,
  'neighborhood.num_nearest': 2,
  'train.num_steps': 3,
  'train.batch_size': 16,
}


@pytest.fixture
def where(tmp_path):
  return cells.Folders(tmp_path / 'results', tmp_path / 'scratch')


@pytest.fixture
def digits():
  """Makes the data set, with other values where they are given."""
  return lambda **values: command_line.Dataset(
    'digits', CONFIG, {**VALUES, **values}
  )


@pytest.fixture
def flags(where):
  """That run an experiment on it."""
  return [
    f'--config={CONFIG}',
    '--seeds=0',
    f'--results={where.results}',
    f'--scratch={where.scratch}',
    *(f'--config.{name}={value}' for name, value in VALUES.items()),
  ]
