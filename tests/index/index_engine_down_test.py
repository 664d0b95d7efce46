"""An engine that is away: what is durable is done, and searches wait for it."""

import numpy as np
import pytest
from index_cases import BITS, assert_nearest, codes, metadata, relaxed

from nph_jax.index import VideoIndex, engines, errors, store


def down(*_, **__):
  raise errors.Unavailable('The engine is away.')


def more():
  values = codes(5, seed=7)
  return values, metadata(5, 90), relaxed(values)


def test_an_addition_does_not_fail_with_the_engine(index, monkeypatch, caplog):
  monkeypatch.setattr(engines.Flat, 'follow', down)
  assert index.add(*more()).tolist() == [90, 91, 92, 93, 94]
  assert 'durable: The engine is away.' in caplog.text
  assert len(index) == 95 and index.get(92)[2] == metadata(1, 92)[0]
  with pytest.raises(errors.InvalidRequest, match='is in the index already'):
    index.add(*more(), ids=np.arange(90, 95))
  for search in (index.search, index.search_arrays):
    with pytest.raises(errors.Unavailable, match='The engine is away'):
      search(codes(1), 3)
  monkeypatch.undo()
  values = np.concatenate([codes(), more()[0]])
  assert_nearest(index, values[:9], values, np.arange(95), 95)


def test_a_removal_does_not_fail_with_the_engine(index, monkeypatch, caplog):
  monkeypatch.setattr('nph_jax.index.video_index._DEAD', 10)
  with monkeypatch.context() as patch:
    patch.setattr(engines.Flat, 'follow', down)
    assert index.remove(np.arange(60)) == 60
    assert 'durable: The engine is away.' in caplog.text
    assert len(index) == 30 and index.items(limit=1)[0][0] == 60
  assert index.remove([5]) == 0


def test_a_store_that_cannot_be_read_back_is_tried_again(
  index, tmp_path, monkeypatch
):
  """The ids are not known then: nothing may be added over them."""
  with monkeypatch.context() as patch:
    patch.setattr(store.Store, 'changes', down)
    assert len(index.add(*more())) == 5
    with pytest.raises(errors.Unavailable, match='is away'):
      index.add(*more(), ids=np.arange(90, 95))
  with pytest.raises(errors.InvalidRequest, match='is in the index already'):
    index.add(*more(), ids=np.arange(90, 95))
  assert len(index) == 95
  index.close()
  with VideoIndex.open(tmp_path / 'ix') as again:
    again.verify()
    assert len(again) == 95 and again.num_bits == BITS


def test_a_compaction_that_fails_is_not_the_removal_s(
  index, monkeypatch, caplog
):
  monkeypatch.setattr('nph_jax.index.video_index._DEAD', 10)
  with monkeypatch.context() as patch:
    patch.setattr(store.Store, 'compact', down)
    assert index.remove(np.arange(60)) == 60
  assert 'not compacted: The engine is away.' in caplog.text
  keep = np.arange(60, 90)
  assert_nearest(index, codes()[:9], codes()[keep], keep, 30)
