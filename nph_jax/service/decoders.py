"""Decoding processes as the service sees them: started, timed and replaced."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing import reduction
from typing import Any, BinaryIO

from nph_jax import errors
from nph_jax.service import decoding_process, limits, problems

_LOG = logging.getLogger('uvicorn.error')
_START_SECONDS = 180.0
# Told of each part of an answer but the last.
OnPart = Callable[[dict[str, Any], list[bytes]], None]


class Decoder:
  """One process that does one job at a time, in the thread that asks."""

  def __init__(
    self,
    load: Callable[..., decoding_process.Handler],
    arguments: Sequence[Any],
    bounds: limits.Limits,
    on_replaced: Callable[[str], None] = lambda why: None,
    offline: bool = True,
  ):
    """Args as follows.

    Args:
      load: see decoding_process.main; found by its name in the new process.
      arguments: of `load`.
      bounds: how long a job may take, and how much memory.
      on_replaced: told `timeout`, `memory` or `crash` when the process had to
        be replaced.
      offline: see decoding_process.main.
    """
    self._start_arguments = (
      load.__module__,
      load.__qualname__,
      arguments,
      bounds.decode_seconds,
      bounds.memory_bytes,
      offline,
    )
    self._seconds = bounds.decode_seconds
    self._on_replaced = on_replaced
    self._ready = False
    self._process: Any = None

  def do(
    self, job: dict[str, Any], file: BinaryIO, on_part: OnPart | None = None
  ) -> tuple[dict[str, Any], list[bytes]]:
    """The answer to `job` on `file`; where `on_part` raises, it ends with that.

    Raises:
      UserError: the file is at fault, in the decoder's own words.
      Problem: status 422, it took too long, too much memory, or the process
        died of it; 503, there is no process at the moment.
    """
    try:
      self.wait()
    except errors.UserError as error:
      _LOG.error('the decoding process did not start: %s', error)
      raise problems.Problem(
        503,
        'The service cannot decode videos at the moment; its own log says why.',
        {'Retry-After': '60'},
      ) from error
    try:
      decoding_process.send(self._connection, job)
      reduction.send_handle(self._connection, file.fileno(), self._process.pid)
      end = time.monotonic() + self._seconds
      fields, blobs = self._receive(self._seconds)
      while on_part and 'more' in fields:
        on_part(fields, blobs)
        fields, blobs = self._receive(max(end - time.monotonic(), 0))
    except (errors.UserError, problems.Problem):
      self.kill()  # else it would go on
      raise
    except TimeoutError as error:
      raise self._replaced('timeout') from error
    except (EOFError, OSError, ValueError, KeyError, TypeError) as error:
      raise self._replaced('crash') from error
    if 'memory' in fields:
      raise self._replaced('memory')
    if 'error' in fields:
      raise errors.UserError(str(fields['error']))
    return fields, blobs

  def _receive(self, seconds: float) -> tuple[dict[str, Any], list[bytes]]:
    """The next message, which has to be whole by then."""
    late = threading.Event()
    # In this order: what is read ends with the process.
    timer = threading.Timer(seconds, lambda: (late.set(), self._process.kill()))
    timer.start()
    try:
      return decoding_process.receive(self._connection)
    except (EOFError, OSError) as error:
      if late.is_set():
        raise TimeoutError from error
      raise
    finally:
      timer.cancel()

  def _replaced(self, why: str) -> problems.Problem:
    self.kill()
    self.start()
    self._on_replaced(why)
    sentences = {
      'timeout': f'took longer than {self._seconds:g} s to decode',
      'memory': 'needs more memory to decode than a video may take',
      'crash': 'made the decoder crash',
    }
    return problems.Problem(
      422,
      f'The video {sentences[why]}; send a shorter or smaller one, or encode '
      'it again.',
    )

  def start(self) -> None:
    """Starts the process, which `wait` waits for."""
    context = multiprocessing.get_context('spawn')
    self._connection, theirs = context.Pipe()
    self._process = context.Process(
      target=decoding_process.main,
      args=(theirs, *self._start_arguments),
      daemon=True,
    )
    self._process.start()
    theirs.close()

  def wait(self) -> None:
    """Returns once the process has loaded; starts it where there is none.

    Raises:
      UserError: loading raised it, or took minutes.
    """
    if self._ready:
      return
    if self._process is None:
      self.start()
    fields: dict[str, Any] = {
      'error': 'The process that decodes videos did not start; the lines above '
      'say why.'
    }
    with contextlib.suppress(EOFError, OSError):
      fields, _ = self._receive(_START_SECONDS)
    if 'error' in fields:
      self.kill()
      raise errors.UserError(str(fields['error']))
    self._ready = True

  def kill(self) -> None:
    """Ends the process; the next job has another."""
    if self._process is not None:
      self._process.kill()
      self._process.join()
      self._connection.close()
    self._process, self._ready = None, False


class Pool:
  """Some decoders, and a queue of jobs before them; a context manager."""

  def __init__(self, made: Sequence[Decoder], lazy: bool = False):
    """Waits until all are ready, or starts them with their first jobs.

    Raises:
      UserError: one cannot be loaded.
    """
    self._decoders = made
    self._threads = concurrent.futures.ThreadPoolExecutor(len(made), 'decoder')
    # First come, first served; the one that rested last has the warmest caches.
    self._idle = asyncio.LifoQueue[Decoder]()
    for decoder in made:
      self._idle.put_nowait(decoder)
    try:
      if not lazy:
        for step in (Decoder.start, Decoder.wait):
          for decoder in made:
            step(decoder)
    except errors.UserError:
      self.__exit__()
      raise

  def __enter__(self) -> Pool:
    return self

  def __exit__(self, *_: object) -> None:
    # A job that still runs ends with its process, not the other way round.
    for decoder in self._decoders:
      if (process := decoder._process) is not None:
        process.kill()
    self._threads.shutdown(cancel_futures=True)
    for decoder in self._decoders:
      decoder.kill()

  async def run(
    self, job: dict[str, Any], file: BinaryIO, on_part: OnPart | None = None
  ) -> tuple[dict[str, Any], list[bytes]]:
    """The answer of whichever decoder is free first; as Decoder.do."""
    decoder = await self._idle.get()
    loop = asyncio.get_running_loop()
    task = loop.run_in_executor(self._threads, decoder.do, job, file, on_part)
    # Not before the job has ended, though its caller may go away earlier.
    task.add_done_callback(lambda _: self._idle.put_nowait(decoder))
    return await asyncio.shield(task)
