"""Random access to records."""

from __future__ import annotations

import pytest

from nph_jax import errors
from nph_jax.data import records
from nph_jax.data.quiet_tensorflow import tf


@pytest.fixture
def shards(tmp_path):
  contents = [
    [b'a' * size for size in sizes] for sizes in ((3, 0, 500), (7, 1))
  ]
  paths = []
  for number, shard in enumerate(contents):
    paths.append(str(tmp_path / f'shard{number}'))
    with tf.io.TFRecordWriter(paths[-1]) as writer:
      for content in shard:
        writer.write(content)
  return paths, contents


def test_reads_by_number_across_shards(shards):
  paths, contents = shards
  stored = records.Records(paths, (3, 2))
  assert len(stored) == 5
  expected = contents[0] + contents[1]
  order = [4, 0, 0, 2, 1, 3]
  assert stored.read(order) == [expected[index] for index in order]


@pytest.mark.parametrize('lengths', [(3, 1), (3, 3)])
def test_other_number_of_records(shards, lengths):
  with pytest.raises(errors.UserError, match=r'shard1: .*damaged.*delete'):
    records.Records(shards[0], lengths)


def test_cut_off_and_missing(shards, tmp_path):
  paths, _ = shards
  content = (tmp_path / 'shard0').read_bytes()
  (tmp_path / 'shard0').write_bytes(content[:-2])
  with pytest.raises(errors.UserError, match=r'shard0: .*damaged'):
    records.Records(paths, (3, 2))
  (tmp_path / 'shard0').unlink()
  with pytest.raises(errors.UserError, match=r'shard0: .*damaged'):
    records.Records(paths, (3, 2))


def test_cut_off_after_opening(shards, tmp_path):
  stored = records.Records(shards[0], (3, 2))
  (tmp_path / 'shard1').write_bytes(b'')
  with pytest.raises(errors.UserError, match=r'shard1: .*damaged'):
    stored.read([4])
