"""Many callers at once, adding, searching and removing: nothing is lost."""

from __future__ import annotations

import collections
import concurrent.futures
import itertools
import subprocess
import threading
import time

import httpx
import numpy as np
import pytest
import serve_test
import service_toy as toy

from nph_jax.index import video_index

NPY = {'Content-Type': 'application/x-npy'}
ADDERS, PER_ADDER, SEARCHERS = 4, 15, 4


def test_concurrent_additions_and_searches(start, tmp_path):
  added_frames = toy.features(ADDERS * PER_ADDER, 1000)
  with start(tmp_path) as served:
    over = threading.Event()

    def add(adder):
      ids = {}
      for number in range(adder, len(added_frames), ADDERS):
        frames = added_frames[number]
        answer = served.npy('/videos/features', frames)
        assert answer.status_code == 201, answer.text
        ids[answer.json()['id']] = number
        # What was added is found by whoever asks afterwards.
        found = served.npy('/search/features?k=1&radius=0', frames).json()
        assert [x['distance'] for x in found['results']] == [0]
      return ids

    def search(searcher):
      for rounds in itertools.count():
        if over.is_set():
          return rounds
        frames = toy.features(1, 2000 + 100 * searcher + rounds)
        found = served.npy('/search/features?k=5&rank=hamming', frames).json()
        # The nearest of those that were there from the beginning can only be
        # pushed down by new ones.
        known = [
          (x['distance'], x['id']) for x in found['results'] if x['id'] < 44
        ]
        before = toy.nearest(toy.codes(frames), served.codes, range(44), 5)
        assert known == before[: len(known)]

    with concurrent.futures.ThreadPoolExecutor(ADDERS + SEARCHERS) as threads:
      searching = [threads.submit(search, n) for n in range(SEARCHERS)]
      try:
        ids = {}
        for found in threads.map(add, range(ADDERS)):
          ids.update(found)
      finally:
        over.set()
      assert all(task.result() > 0 for task in searching)
    assert sorted(ids.values()) == list(range(len(added_frames)))
  codes = toy.codes(added_frames)
  with video_index.VideoIndex.open(tmp_path / 'index') as index:
    assert len(index) == len(served.codes) + len(ids)
    for id, number in ids.items():
      assert index.get(id)[0].tolist() == codes[number].tolist()


def test_concurrent_removals_count_once(own):
  answer = own.npy('/videos/features', toy.features(1, 3000))
  address = f'/videos/{answer.json()["id"]}'
  with concurrent.futures.ThreadPoolExecutor(8) as threads:
    answers = list(threads.map(own.client.delete, [address] * 8))
  assert sorted(x.status_code for x in answers) == [204] + [404] * 7


SECONDS = 60
# Callers of each kind, 21 in all.
CALLERS = {'id': 8, 'features': 5, 'video': 2, 'add': 3, 'keep': 1, 'look': 2}


@pytest.mark.slow
def test_a_minute_of_21_callers(bundle, clips, tmp_path):
  """Everybody is answered, and memory does not grow."""
  toy.make_index(tmp_path / 'index', bundle[1], clips)
  flags = [f'--index={tmp_path}/index', f'--bundle={bundle[0]}']
  with serve_test.command(
    *flags, f'--videos={clips}', program=serve_test.WITH_TOY
  ) as (process, client):
    end, sizes = time.monotonic() + SECONDS, []

    def ask(kind, number):
      statuses = collections.Counter()
      with httpx.Client(base_url=client.base_url, timeout=60) as own:
        for turn in itertools.count(number, 100):
          if time.monotonic() > end:
            return statuses
          for answer in asked(own, kind, turn, clips):
            statuses[kind, answer.status_code] += 1

    callers = [(kind, n) for kind, many in CALLERS.items() for n in range(many)]
    with concurrent.futures.ThreadPoolExecutor(len(callers)) as threads:
      tasks = [threads.submit(ask, *caller) for caller in callers]
      while time.monotonic() < end:
        sizes.append(memory(process.pid))
        time.sleep(1)
      statuses = sum((x.result() for x in tasks), collections.Counter())
    assert client.get('/index').json()['size'] == 44
  print(statuses, [size >> 20 for size in sizes])
  assert {kind for kind, _ in statuses} == set(CALLERS)
  assert {status for _, status in statuses} <= {200, 201, 204}
  third = len(sizes) // 3
  first, last = np.median(sizes[third:-third]), np.median(sizes[-third:])
  assert last < 1.05 * first


def asked(own, kind, turn, clips):
  """Yields the answers to what one caller asks in one turn."""
  film = (clips / 'cat/two.mp4').read_bytes()
  body = toy.npy(toy.features(1, turn))
  post = own.post
  if kind == 'id':
    yield post('/search?bits=true', json={'id': turn % 44})
  elif kind == 'features':
    yield post('/search/features', content=body, headers=NPY)
  elif kind == 'video':
    yield post('/search/video', files={'video': film})
  elif kind == 'look':
    yield own.get('/videos')
    for name in ('thumbnail', 'preview', 'file'):
      yield own.get(f'/videos/{turn % 4}/{name}')
  else:
    if kind == 'add':
      answer = post('/videos/features', content=body, headers=NPY)
    else:
      film += turn.to_bytes(8)  # behind its end, where nobody looks
      answer = post('/videos', files={'video': film})
    yield answer
    yield own.delete(f'/videos/{answer.json()["id"]}')


def memory(pid):
  """Resident bytes of a process and its children."""
  listed = subprocess.check_output(
    ['ps', '-o', 'rss=', '--pid', str(pid), '--ppid', str(pid)], text=True
  )
  return 1024 * sum(map(int, listed.split()))
