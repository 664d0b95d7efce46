"""A real Milvus server, PyPI's `milvus` 2.3.5, where that is installed.

pip install --no-deps --target=DIR milvus==2.3.5; PYTHONPATH=DIR pytest -m slow
"""

import socket

import index_cases
import numpy as np
import pytest
from index_cases import BITS, assert_nearest

from nph_jax.index import VideoIndex

milvus = pytest.importorskip('milvus')
pytest.importorskip('pymilvus')
pytestmark = [
  pytest.mark.slow,
  pytest.mark.filterwarnings('ignore::UserWarning'),
]


@pytest.fixture(scope='module')
def address(tmp_path_factory):
  """Of a server that this module runs."""
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    port = free.getsockname()[1]
  server = milvus.MilvusServer()
  server.set_base_dir(str(tmp_path_factory.mktemp('milvus')))
  server.listen_port = port
  server.start()
  yield f'http://127.0.0.1:{port}'
  server.stop()


@pytest.mark.parametrize('engine', ['milvus', 'milvus_ivf'])
def test_a_life_on_a_server(tmp_path, address, engine):
  values, about = index_cases.codes(300), index_cases.metadata(300)
  t, keep = index_cases.relaxed(values), np.arange(50, 300)
  place = tmp_path / engine
  with VideoIndex.create(place, BITS, engine=engine, uri=address) as index:
    index.add(values[:200], about[:200], t[:200])
    index.add(values[200:], about[200:], t[200:])
    assert index.remove(np.arange(50)) == 50
    check(index, engine, values, keep)
    index.compact()
    check(index, engine, values, keep)
    values = index_cases.clustered(300, 4, seed=5)
    t = index_cases.relaxed(values)
    index.rehash([(keep, values[50:], t[50:], None)], 32, 'new')
    check(index, engine, values, keep)
  with VideoIndex.open(place, read_only=True) as index:
    check(index, engine, values, keep)
    found = index.search(values[60:61], 5, rerank=9, relaxed=t[60:61])[0]
    assert found[0].id == 60 and found[0].score > 0.999


def check(index, engine, values, ids):
  """Search, filter and radius."""
  queries = values[60:65]
  if engine == 'milvus':
    assert_nearest(index, queries, values[ids], ids, 30)
  assert (index.search_arrays(queries, 1)[0] == 0).all()
  cats = ids[ids % 3 == 1]
  expected = index_cases.nearest(queries, values[cats], cats, 8)
  found = index.search(queries, 8, where={'labels': 'cat'})
  pairs = [list(zip(*map(np.ndarray.tolist, row))) for row in zip(*expected)]
  assert index_cases.pairs(found) == pairs
  near = index.search(queries, None, radius=2)
  assert all(hit.distance <= 2 for hits in near for hit in hits) and all(near)
