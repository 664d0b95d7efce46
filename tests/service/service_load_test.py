"""Many callers at once, adding, searching and removing: nothing is lost."""

from __future__ import annotations

import concurrent.futures
import threading

import pytest

pytest.importorskip('fastapi')
pytest.importorskip('av')
pytest.importorskip('httpx')

import httpx
import service_toy as toy

from nph_jax.index import video_index

NPY = {'Content-Type': 'application/x-npy'}
ADDERS, PER_ADDER, SEARCHERS = 4, 15, 4


def test_concurrent_additions_and_searches(start, tmp_path):
  added_frames = toy.features(ADDERS * PER_ADDER, 1000)
  with start(tmp_path) as served:
    over = threading.Event()

    def client():
      return httpx.Client(base_url=served.address, timeout=60, trust_env=False)

    def add(adder):
      ids = {}
      with client() as own:
        for number in range(adder, len(added_frames), ADDERS):
          frames = added_frames[number]
          answer = own.post(
            '/videos/features', content=toy.npy(frames), headers=NPY
          )
          assert answer.status_code == 201, answer.text
          ids[answer.json()['id']] = number
          # What was added is found by whoever asks afterwards.
          found = own.post(
            '/search/features?k=1&radius=0',
            content=toy.npy(frames),
            headers=NPY,
          ).json()['results']
          assert [x['distance'] for x in found] == [0]
      return ids

    def search(searcher):
      rounds = 0
      with client() as own:
        while not over.is_set():
          frames = toy.features(1, 2000 + 100 * searcher + rounds)
          answer = own.post(
            '/search/features?k=5&rank=hamming',
            content=toy.npy(frames),
            headers=NPY,
          )
          results = answer.json()['results']
          code = toy.codes(frames)
          known = [x for x in results if x['id'] < len(served.codes)]
          for result in known:
            both = toy.nearest(code, served.codes[[result['id']]], [0], 1)
            assert result['distance'] == both[0][0]
          # The nearest of those that were there from the beginning can only be
          # pushed down by new ones.
          before = toy.nearest(code, served.codes, range(len(served.codes)), 5)
          mine = [(x['distance'], x['id']) for x in known]
          assert mine == before[: len(mine)]
          rounds += 1
      return rounds

    with concurrent.futures.ThreadPoolExecutor(ADDERS + SEARCHERS) as threads:
      searching = [threads.submit(search, n) for n in range(SEARCHERS)]
      try:
        adding = [threads.submit(add, n) for n in range(ADDERS)]
        ids = {}
        for task in adding:
          ids.update(task.result())
      finally:
        over.set()
      assert all(task.result() > 0 for task in searching)
    assert sorted(ids.values()) == list(range(len(added_frames)))
    assert len(served.service.index) == len(served.codes) + len(ids)

  codes = toy.codes(added_frames)
  with video_index.VideoIndex.open(tmp_path / 'index') as index:
    assert len(index) == len(served.codes) + len(ids)
    for id, number in ids.items():
      assert index.get(id)[0].tolist() == codes[number].tolist()


def test_concurrent_removals_count_once(own):
  frames = toy.features(1, 3000)
  answer = own.client.post(
    '/videos/features', content=toy.npy(frames), headers=NPY
  )
  address = f'{own.address}/videos/{answer.json()["id"]}'
  with concurrent.futures.ThreadPoolExecutor(8) as threads:
    answers = list(threads.map(httpx.delete, [address] * 8))
  statuses = sorted(answer.status_code for answer in answers)
  assert statuses == [204] + [404] * 7
