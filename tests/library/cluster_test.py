"""Two nodes on this machine, one of which ends midway."""

import os
import pathlib
import signal
import threading
import time

import numpy as np
import progress
import pytest
from onnx_library_test import write
from program_test import write_clip

from nph_jax import cluster, encode, errors, extract
from nph_jax.extraction import workers

NUM_TASKS = 7


def test_without_ray_it_says_what_to_install(monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'ray', None)
  with pytest.raises(errors.UserError, match=r"'nph-jax\[cluster\]'"):
    next(cluster.ordered(len, ['a'], address='x', ahead=1, time_limit=1))


@pytest.fixture
def nodes(monkeypatch):
  """Two nodes of one core each; the second may be ended."""
  pytest.importorskip('ray')
  pytest.importorskip('pebble')
  from ray import cluster_utils
  from ray._private import ray_constants

  # Its processes import nph_jax and this file.
  here = pathlib.Path(__file__).parent
  path = ':'.join(map(str, (here.parents[1], here.parent, here)))
  monkeypatch.setenv('PYTHONPATH', path)
  monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '0')
  # Else 127.0.0.1 is taken for the machine's own address, of no node.
  monkeypatch.setattr(ray_constants, 'ENABLE_RAY_CLUSTER', False)
  node = {
    'num_cpus': 1,
    'node_ip_address': '127.0.0.1',
    'object_store_memory': 80 << 20,
    'include_dashboard': False,
  }
  made = cluster_utils.Cluster(initialize_head=True, head_node_args=node)
  second = made.add_node(**node)
  made.wait_for_nodes()
  made.second = second
  yield made
  made.shutdown()


def end(nodes):
  nodes.remove_node(nodes.second, allow_graceful=False)


def parent(pid):
  with open(f'/proc/{pid}/stat') as file:
    return int(file.read().rpartition(')')[2].split()[1])


def work(task):
  """Leaves a file for each time it is begun, named after Ray's process."""
  folder, number = task
  (pathlib.Path(folder) / f'{number}-{os.getppid()}').touch()
  if number == 3:
    raise errors.UserError('3 is bad.')
  time.sleep(3)
  return number


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')
def test_an_ended_node_s_tasks_are_done_again(nodes, tmp_path):
  if not pathlib.Path('/proc/self/stat').exists():
    pytest.skip('finds the processes of a node in /proc')
  results = cluster.ordered(
    work,
    [(str(tmp_path), number) for number in range(NUM_TASKS)],
    address=nodes.address,
    ahead=4,
    time_limit=60,
  )
  raylets = nodes.second.all_processes['raylet']
  found = [next(results)]
  while True:
    begun = [path.name.split('-') for path in tmp_path.iterdir()]
    mine = {int(pid) for _, pid in begun if os.path.exists(f'/proc/{pid}')}
    mine = {pid for pid in mine if parent(pid) == raylets[0].process.pid}
    if mine:
      break
    time.sleep(0.1)
  for pid in mine:
    os.kill(pid, signal.SIGKILL)
  end(nodes)
  found += results
  expected = [*range(NUM_TASKS)]
  expected[3] = workers.Failure('3 is bad.')
  assert found == expected
  begun = [path.name.split('-')[0] for path in tmp_path.iterdir()]
  assert {*begun} == {*map(str, range(NUM_TASKS))}
  # That of the node that ended.
  assert len(begun) > NUM_TASKS


def end_midway(nodes, path):
  """Once a few videos are in the store, past the lock of who writes it."""
  finished = path.with_suffix('.h5')
  while progress.count(path) < 3 and not finished.exists():
    time.sleep(0.05)
  end(nodes)


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')
def test_rows_and_codes_are_those_of_one_machine(nodes, tmp_path, monkeypatch):
  for package in ('av', 'PIL', 'onnxruntime'):
    pytest.importorskip(package)
  monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'home'))
  write(tmp_path / 'own.onnx', width=1280)
  for number in range(12):
    write_clip(tmp_path / 'videos' / f'{number}.mp4', number)
  (tmp_path / 'videos' / 'bad.mp4').write_text('no video')
  common = [
    f'--videos={tmp_path / "videos"}', '--num_frames=4', '--backbone=onnx',
    f'--weights={tmp_path / "own.onnx"}', '--size=8', '--workers=1',
  ]  # fmt: skip
  there = f'--cluster={nodes.address}'
  ended = threading.Thread(
    target=end_midway, args=(nodes, tmp_path / 'there' / 'f.partial')
  )
  ended.start()
  for out, flags in (('here', []), ('there', [there])):
    (tmp_path / out).mkdir()
    extract.main([*common, f'--out={tmp_path / out / "f.h5"}', *flags])
    encode.main([
      f'--features={tmp_path / out / "f.h5"}',
      f'--out={tmp_path / out / "codes.npy"}',
      *flags,
    ])  # fmt: skip
  ended.join()
  here, elsewhere = (
    {x.name: x.read_bytes() for x in (tmp_path / out).iterdir()}
    for out in ('here', 'there')
  )
  assert here == elsewhere
  assert len(np.load(tmp_path / 'here' / 'codes.npy')) == 12
