"""Any sequence of additions, removals, compactions and reopenings."""

import pathlib
import tempfile

import index_cases
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nph_jax.index import VideoIndex

_STEPS = st.lists(
  st.one_of(
    st.tuples(st.just('add'), st.integers(0, 6)),
    st.tuples(st.just('add at'), st.sets(st.integers(0, 15), max_size=6)),
    st.tuples(st.just('remove'), st.sets(st.integers(0, 15), max_size=9)),
    st.tuples(st.sampled_from(['compact', 'reopen']), st.none()),
  ),
  min_size=2,
  max_size=12,
)


class Model:
  """What an index has to hold: a code and metadata by id."""

  def __init__(self):
    self.codes, self.metadata, self.next_id, self.seed = {}, {}, 0, 0

  def add(self, index, ids):
    given_ids = np.array(sorted(ids - self.codes.keys()), int)[::-1]
    self._add(index, given_ids, given_ids)

  def append(self, index, number):
    self._add(index, np.arange(number) + self.next_id, None)

  def _add(self, index, ids, given_ids):
    self.seed += 1
    codes = index_cases.clustered(len(ids), 1, self.seed)
    metadata = [{'parity': int(x) % 2, 'added': self.seed} for x in ids]
    assert index.add(codes, metadata, ids=given_ids).tolist() == ids.tolist()
    self.codes.update(zip(ids.tolist(), codes))
    self.metadata.update(zip(ids.tolist(), metadata))
    self.next_id = max([self.next_id, *(ids + 1).tolist()])

  def remove(self, index, ids):
    assert index.remove(sorted(ids)) == len(ids & self.codes.keys())
    self.codes = {v: c for v, c in self.codes.items() if v not in ids}

  def check(self, index):
    assert len(index) == len(self.codes)
    ids = np.array(sorted(self.codes), int)
    assert index.items() == [(x, self.metadata[x]) for x in ids.tolist()]
    if not len(ids):
      return
    codes = np.array([self.codes[video] for video in ids.tolist()])
    queries = np.arange(0, 256, 37, dtype=np.uint8)[:, None]
    k = len(ids)
    np.testing.assert_array_equal(
      index.search_arrays(queries, k),
      index_cases.nearest(queries, codes, ids, k),
    )
    odd = ids % 2 == 1
    if odd.any():
      found = index.search(queries[:2], k, where={'parity': 1})
      _, expected = index_cases.nearest(queries[:2], codes[odd], ids[odd], k)
      assert [[hit.id for hit in hits] for hits in found] == expected.tolist()


@settings(max_examples=25, deadline=None)
@given(_STEPS)
def test_the_index_holds_what_a_dict_would(steps):
  model = Model()
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'ix'
    index = VideoIndex.create(path, 8, keep_relaxed=False)
    with VideoIndex.open(path, read_only=True) as reader:
      for name, value in steps:
        if name == 'add':
          model.append(index, value)
        elif name == 'add at':
          model.add(index, value)
        elif name == 'remove':
          model.remove(index, value)
        elif name == 'compact':
          index.compact()
        else:
          index.close()
          index = VideoIndex.open(path)
        model.check(index)
        model.check(reader)
      index.verify()
    index.close()
    with VideoIndex.open(path) as index:  # all of the log at once
      model.check(index)
