"""The log: JSON lines, TensorBoard events, resuming, torn lines."""

from __future__ import annotations

import json
import math

import jax.numpy as jnp
import numpy as np
import programs
import pytest
from tensorboardX.proto import event_pb2, plugin_hparams_pb2

from nph_jax import metric_writer
from nph_jax.data.quiet_tensorflow import tf


def _lines(directory):
  text = (directory / metric_writer.FILE_NAME).read_text()
  assert text.endswith('\n') or not text
  return [json.loads(line) for line in text.splitlines()]


def _events(directory):
  """All TensorBoard events, in the order of the files' making."""
  paths = sorted(directory.glob('*tfevents*'), key=lambda p: p.suffix)
  records = tf.data.TFRecordDataset([str(path) for path in paths])
  return [event_pb2.Event.FromString(x.numpy()) for x in records]


def _scalars(directory):
  return [
    (event.step, value.tag, pytest.approx(value.simple_value))
    for event in _events(directory)
    for value in event.summary.value
  ]


def test_lines_and_events(tmp_path):
  with metric_writer.MetricWriter(tmp_path / 'log') as writer:
    writer.write_scalars(1, {'train/loss': 0.5, 'videos_per_s': np.int64(9)})
    writer.write_scalars(np.int32(2), {'train/loss': jnp.float32(0.25)})
    # On disk before close, for whoever watches and for kill -9.
    assert [line['step'] for line in _lines(tmp_path / 'log')] == [1, 2]
    assert len(_scalars(tmp_path / 'log')) == 3
  first, second = _lines(tmp_path / 'log')
  assert first.keys() == {'step', 'time', 'train/loss', 'videos_per_s'}
  assert (first['train/loss'], first['videos_per_s']) == (0.5, 9)
  assert second['train/loss'] == 0.25
  assert second['time'] >= first['time'] > 1.6e9
  assert _scalars(tmp_path / 'log') == [
    (1, 'train/loss', 0.5),
    (1, 'videos_per_s', 9),
    (2, 'train/loss', 0.25),
  ]


def test_values_that_are_not_finite(tmp_path):
  with metric_writer.MetricWriter(tmp_path) as writer:
    writer.write_scalars(1, {'a': math.nan, 'b': -math.inf, 'c': 1})
  (line,) = _lines(tmp_path)
  assert (line['a'], line['b'], line['c']) == (None, None, 1)
  assert 'NaN' not in (tmp_path / metric_writer.FILE_NAME).read_text()
  nan, infinite, _ = _events(tmp_path)[-1].summary.value
  assert math.isnan(nan.simple_value)
  assert infinite.simple_value == -math.inf


def test_resuming_drops_later_steps(tmp_path):
  with metric_writer.MetricWriter(tmp_path) as writer:
    for step in range(1, 6):
      writer.write_scalars(step, {'loss': step})
  with metric_writer.MetricWriter(tmp_path, step=3) as writer:
    assert [line['step'] for line in _lines(tmp_path)] == [1, 2, 3]
    writer.write_scalars(4, {'loss': 40})
  assert [line['loss'] for line in _lines(tmp_path)] == [1, 2, 3, 40]
  # TensorBoard hides steps from a session's START on: here from 4 on.
  starts = [e.step for e in _events(tmp_path) if e.session_log.status == 1]
  assert starts == [1, 4]
  assert len(list(tmp_path.glob('*tfevents*'))) == 2


def test_starting_afresh_drops_all(tmp_path):
  with metric_writer.MetricWriter(tmp_path) as writer:
    writer.write_scalars(1, {'loss': 1})
  metric_writer.MetricWriter(tmp_path).close()
  assert _lines(tmp_path) == []


@pytest.mark.parametrize(
  'torn', ['{"step": 3, "ti', '{"step": 3}x', '7', '\x00']
)
def test_torn_last_line(tmp_path, torn):
  path = tmp_path / metric_writer.FILE_NAME
  path.write_text('{"step": 1, "loss": 1.0}\n{"step": 2, "loss": 2.0}\n' + torn)
  with metric_writer.MetricWriter(tmp_path, step=9) as writer:
    writer.write_scalars(10, {'loss': 3})
  assert [line['step'] for line in _lines(tmp_path)] == [1, 2, 10]


def test_whole_last_line_without_its_end(tmp_path):
  path = tmp_path / metric_writer.FILE_NAME
  path.write_text('{"step": 1}')
  with metric_writer.MetricWriter(tmp_path, step=1) as writer:
    writer.write_scalars(2, {})
  assert [line['step'] for line in _lines(tmp_path)] == [1, 2]


def test_nothing_to_drop_leaves_the_file_alone(tmp_path):
  path = tmp_path / metric_writer.FILE_NAME
  path.write_text('{"step": 1}\n')
  before = path.stat().st_ino
  metric_writer.MetricWriter(tmp_path, step=1).close()
  assert path.stat().st_ino == before


def test_hparams(tmp_path):
  with metric_writer.MetricWriter(tmp_path) as writer:
    writer.write_hparams(
      {'seed': 3, 'train': {'lr': 0.5, 'steps': None}, 'name': 'x', 'on': True}
    )
  found = {}
  for event in _events(tmp_path):
    for value in event.summary.value:
      content = plugin_hparams_pb2.HParamsPluginData.FromString(
        value.metadata.plugin_data.content
      )
      for name, stored in content.session_start_info.hparams.items():
        found[name] = getattr(stored, stored.WhichOneof('kind'))
  assert found == {
    'seed': 3,
    'train.lr': 0.5,
    'train.steps': 'None',
    'name': 'x',
    'on': True,
  }


def test_inactive_writer_does_nothing(tmp_path):
  directory = tmp_path / 'log'
  with metric_writer.MetricWriter(directory, active=False) as writer:
    writer.write_scalars(1, {'loss': 1})
    writer.write_hparams({'seed': 0})
  assert not directory.exists()


def test_second_close_does_nothing(tmp_path):
  writer = metric_writer.MetricWriter(tmp_path)
  writer.write_scalars(1, {'loss': 1})
  writer.close()
  writer.close()
  assert len(_lines(tmp_path)) == 1


def test_full_disk(tmp_path):
  path = tmp_path / metric_writer.FILE_NAME
  with metric_writer.MetricWriter(tmp_path) as writer:
    with programs.full_disk(9_000):
      with programs.one_sentence(f'{path}: the disk is full'):
        for step in range(10_000):
          writer.write_scalars(step, {'loss': 1.0})
