"""The service under load: queries a second and waiting times, over HTTP.

A real process of `nph_jax.serve` over a large index, asked by many connections
at once: by ids (search alone) and by frame features (hashing and search), while
nobody adds and while others do. Clients and service share the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import fresh, machine, sizes

NUM_VIDEOS = 1_000_000
_QUICK_VIDEOS = 2_000
_CALLERS = {'id': (1, 16), 'features': (1, 48)}
_ADDERS = 2
_SECONDS, _QUICK_SECONDS = 15.0, 0.7
_K = 10
_BLOCK = 2**17  # codes to one addition
_PRECISION = 'bfloat16'  # of the bundle
_PATHS = {'id': '/search', 'features': '/search/features'}
_BODIES = 32  # different videos that are sent


def run(quick: bool) -> dict[str, Any]:
  """Results by what is sent, by callers at once, without and with additions."""
  size = sizes.QUICK_SIZES['quick'] if quick else sizes.SIZES['fcvid']
  number = _QUICK_VIDEOS if quick else NUM_VIDEOS
  seconds = _QUICK_SECONDS if quick else _SECONDS
  with tempfile.TemporaryDirectory() as folder:
    fixed = {'size': size, 'folder': folder}
    fresh.call('benchmarks.encode:write_bundles', **fixed)
    fresh.call('benchmarks.service:build', num_videos=number, **fixed)
    with _service(folder) as port:
      cases = [
        fresh.call(
          'benchmarks.service:load',
          size=size,
          port=port,
          kind=kind,
          callers=callers,
          adders=adders,
          seconds=seconds,
        )
        for kind, counts in _CALLERS.items()
        for callers in counts
        for adders in (0, _ADDERS)
      ]
  return {
    'size': size._asdict(),
    'num_videos': number,
    'k': _K,
    'seconds': seconds,
    'cases': cases,
  }


def build(size: list[int], folder: str, num_videos: int) -> dict[str, Any]:
  """An index of random codes for the bundle of encode.write_bundles."""
  from nph_jax.export import load_hasher
  from nph_jax.index import VideoIndex

  hasher = load_hasher(pathlib.Path(folder) / _PRECISION)
  rng = np.random.default_rng(0)
  with VideoIndex.create(
    pathlib.Path(folder) / 'index',
    hasher.num_bits,
    bundle_digest=hasher.digest,
    keep_relaxed=False,
  ) as index:
    for start in range(0, num_videos, _BLOCK):
      number = min(_BLOCK, num_videos - start)
      codes = rng.integers(0, 256, (number, hasher.num_bits // 8), np.uint8)
      index.add(codes, [{'labels': [f'{n % 100}']} for n in range(number)])
  return {}


@contextlib.contextmanager
def _service(folder: str) -> Iterator[int]:
  """The port of a running service, ended cleanly."""
  command = [sys.executable, '-m', 'nph_jax.serve', '--port=0']
  command += [f'--index={folder}/index', f'--bundle={folder}/{_PRECISION}']
  process = subprocess.Popen(
    command,
    cwd=machine.ROOT,
    env={**os.environ, 'JAX_PLATFORMS': 'cpu'},
    stdout=subprocess.PIPE,
    text=True,
  )
  assert process.stdout is not None
  try:
    process.stdout.readline()
    address = process.stdout.readline().split()[-1]
    yield int(address.rstrip('/').rpartition(':')[2])
    process.send_signal(signal.SIGTERM)
    if process.wait(60):
      raise RuntimeError('the service did not end cleanly')
  finally:
    process.kill()
    process.wait()
    process.stdout.close()


def load(
  size: list[int],
  port: int,
  kind: str,
  callers: int,
  adders: int,
  seconds: float,
) -> dict[str, Any]:
  """Asks for `seconds` and says how many answers came, and how soon."""
  return asyncio.run(
    _load(sizes.Size(*size), port, kind, callers, adders, seconds)
  )


async def _load(
  size: sizes.Size,
  port: int,
  kind: str,
  callers: int,
  adders: int,
  seconds: float,
) -> dict[str, Any]:
  videos = [_npy(frames) for frames in sizes.frames(_BODIES, size)]
  queries = videos if kind == 'features' else _ids()
  before = await _size(port)
  end = time.perf_counter() + seconds
  start = time.perf_counter()
  asking = [
    _ask(port, f'{_PATHS[kind]}?k={_K}', kind, itertools.cycle(own), end)
    for own in (queries[n::callers] or queries for n in range(callers))
  ]
  # What is sent twice would be added once.
  adding = [
    _ask(port, '/videos/features', 'features', _distinct(videos, n), end)
    for n in range(adders)
  ]
  waits = await asyncio.gather(*asking, *adding)
  taken = time.perf_counter() - start
  answered = [wait for some in waits[:callers] for wait in some]
  added = [wait for some in waits[callers:] for wait in some]
  lost = before + len(added) - await _size(port)
  if lost:
    raise RuntimeError(f'{lost} confirmed additions are not in the index')
  return {
    'kind': kind,
    'callers': callers,
    'adders': adders,
    'queries': len(answered),
    'queries_per_second': len(answered) / taken,
    'p50': float(np.percentile(answered, 50)),
    'p99': float(np.percentile(answered, 99)),
    'added_per_second': len(added) / taken,
    'lost': lost,
  }


async def _ask(
  port: int, path: str, kind: str, bodies: Iterator[bytes], end: float
) -> list[float]:
  """Seconds of each answer on one connection, until `end`."""
  content = 'x-npy' if kind == 'features' else 'json'
  reader, writer = await asyncio.open_connection('127.0.0.1', port)
  waits: list[float] = []
  while (start := time.perf_counter()) < end:
    body = next(bodies)
    writer.write(
      f'POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: '
      f'application/{content}\r\nContent-Length: {len(body)}\r\n\r\n'.encode()
    )
    writer.write(body)
    status, answer = await _answer(reader)
    if status >= 300:
      raise RuntimeError(f'status {status}: {answer[:200]!r}')
    waits.append(time.perf_counter() - start)
  writer.close()
  await writer.wait_closed()
  return waits


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
  head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').lower()
  length = head.partition('content-length: ')[2].partition('\r\n')[0]
  return int(head.split()[1]), await reader.readexactly(int(length))


async def _size(port: int) -> int:
  reader, writer = await asyncio.open_connection('127.0.0.1', port)
  writer.write(b'GET /index HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
  _, answer = await _answer(reader)
  writer.close()
  await writer.wait_closed()
  return json.loads(answer)['size']


def _npy(frames: np.ndarray) -> bytes:
  file = io.BytesIO()
  np.save(file, frames)
  return file.getvalue()


def _distinct(videos: list[bytes], adder: int) -> Iterator[bytes]:
  """Bodies of which each differs from all others in its last numbers."""
  seed = [adder, time.time_ns()]
  rng = np.random.default_rng(seed)
  while True:
    end = rng.random(8).astype(np.float16).tobytes()
    yield videos[int(rng.integers(len(videos)))][: -len(end)] + end


def _ids() -> list[bytes]:
  ids = np.random.default_rng(1).integers(0, _QUICK_VIDEOS, 1000)
  return [json.dumps({'id': int(id)}).encode() for id in ids]
