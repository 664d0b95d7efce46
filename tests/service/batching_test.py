"""Callers that wait together share a call, and each gets its own result."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np

from nph_jax.service import batching, searching


def together(run, items, **options):
  """Submits all items at once; results or exceptions, and batch sizes."""
  sizes = []

  async def submit():
    settings = {'max_batch': 8, 'max_wait': 0.02} | options
    async with batching.Batcher(run, observe=sizes.append, **settings) as made:
      return await asyncio.gather(
        *map(made.submit, items), return_exceptions=True
      )

  return asyncio.run(submit()), sizes


def test_each_gets_its_own_in_full_batches():
  results, sizes = together(lambda xs: [x * x for x in xs], range(20))
  assert results == [x * x for x in range(20)]
  assert sizes == [8, 8, 4]


def test_one_alone_waits_no_longer_than_it_must():
  results, sizes = together(list, [5], max_wait=0.01)
  assert (results, sizes) == ([5], [1])


def test_nobody_waits_for_more_than_can_come():
  start = time.monotonic()
  results, sizes = together(list, range(3), max_wait=30, coming=lambda: 3)
  assert results == [0, 1, 2] and sizes == [3]
  assert time.monotonic() - start < 10


def test_an_exception_is_only_its_own():
  def run(items):
    return [ValueError(str(x)) if x % 2 else x for x in items]

  results, _ = together(run, range(6))
  assert results[::2] == [0, 2, 4]
  assert [str(x) for x in results[1::2]] == ['1', '3', '5']


def test_a_failed_call_is_told_to_all_and_the_next_goes_on():
  def run(items):
    if 3 in items:
      raise RuntimeError('broken')
    return items

  results, sizes = together(run, range(8), max_batch=4)
  assert [str(x) for x in results[:4]] == ['broken'] * 4
  assert results[4:] == [4, 5, 6, 7] and sizes == [4, 4]


def test_who_comes_during_a_call_shares_the_next():
  go = threading.Event()

  def run(items):
    go.wait(10)
    return items

  async def submit():
    async with batching.Batcher(
      run, max_batch=64, max_wait=0.001, observe=sizes.append
    ) as made:
      first = asyncio.create_task(made.submit(0))
      while not sizes:
        await asyncio.sleep(0.001)
      others = [asyncio.create_task(made.submit(x)) for x in range(1, 30)]
      await asyncio.sleep(0.01)
      assert made.waiting == 29
      go.set()
      return await asyncio.gather(first, *others)

  sizes = []
  assert asyncio.run(submit()) == list(range(30))
  assert sizes == [1, 29]


def test_a_caller_that_went_away_disturbs_nobody():
  async def submit():
    async with batching.Batcher(list, max_batch=8, max_wait=0.01) as made:
      tasks = [asyncio.create_task(made.submit(x)) for x in range(4)]
      await asyncio.sleep(0)
      tasks[1].cancel()
      return await asyncio.gather(*tasks, return_exceptions=True)

  results = asyncio.run(submit())
  assert isinstance(results[1], asyncio.CancelledError)
  assert [results[i] for i in (0, 2, 3)] == [0, 2, 3]


class Index:
  def __init__(self):
    self.calls = 0

  def search(self, codes, k, *, relaxed, radius):
    self.calls += 1
    if radius == 99:
      raise ValueError('radius')
    t = [None] * len(codes) if relaxed is None else relaxed[:, 0].tolist()
    return list(zip(codes[:, 0].tolist(), t, [k] * len(codes)))


def test_those_who_want_the_same_share_a_search():
  """And who asks for what cannot be done fails alone."""
  searches = [
    searching.Search(
      np.array([n], np.uint8),
      None if n % 3 == 0 else np.array([n], np.float32),
      k=5 + n % 2,
      options={'radius': 99 if n == 7 else None},
    )
    for n in range(12)
  ]
  index = Index()
  results = searching.run(index, searches)
  assert index.calls == 5
  for n, result in enumerate(results):
    if n == 7:
      assert str(result) == 'radius'
    else:
      assert result == (n, None if n % 3 == 0 else n, 5 + n % 2)
