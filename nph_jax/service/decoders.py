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
  """One process that does one job at a time; a context manager."""

  def __init__(
    self,
    load: Callable[..., decoding_process.Handler],
    arguments: Sequence[Any],
    bounds: limits.Limits,
    on_replaced: Callable[[str], None] = lambda why: None,
    offline: bool = True,
    lazy: bool = False,
  ):
    """Starts the process; `wait` before its first job.

    Args:
      load: see decoding_process.main; found by its name in the new process.
      arguments: of `load`.
      bounds: how long a job may take, and how much memory.
      on_replaced: told `timeout`, `memory` or `crash` when the process had to
        be replaced.
      offline: see decoding_process.main.
      lazy: start it with its first job.
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
    self._thread = concurrent.futures.ThreadPoolExecutor(1, 'decoder')
    self._ready = False
    self._process: Any = None
    if not lazy:
      self._start()

  def __enter__(self) -> Decoder:
    return self

  def __exit__(self, *_: object) -> None:
    # A job that still runs ends with its process, not the other way round.
    if self._process is not None:
      self._process.kill()
    self._thread.shutdown(cancel_futures=True)
    if self._process is not None:
      self._kill()

  async def run(
    self, job: dict[str, Any], file: BinaryIO, on_part: OnPart | None = None
  ) -> tuple[dict[str, Any], list[bytes]]:
    """The answer to `job` on `file`, after those that came before.

    Where `on_part` raises, in another thread, the job ends with that.

    Raises:
      UserError: the file is at fault, in the decoder's own words.
      Problem: status 422, it took too long, too much memory, or the process
        died of it; 503, there is no process at the moment.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
      self._thread, self._do, job, file, on_part
    )

  def _do(
    self, job: dict[str, Any], file: BinaryIO, on_part: OnPart | None
  ) -> tuple[dict[str, Any], list[bytes]]:
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
      self._connection.send_bytes(decoding_process.pack(job))
      reduction.send_handle(self._connection, file.fileno(), self._process.pid)
      end = time.monotonic() + self._seconds
      fields, blobs = self._receive(self._seconds)
      while on_part and 'more' in fields:
        self._take(on_part, fields, blobs)
        fields, blobs = self._receive(max(end - time.monotonic(), 0))
    except TimeoutError as error:
      raise self._replaced('timeout') from error
    except (EOFError, OSError, ValueError, KeyError, TypeError) as error:
      raise self._replaced('crash') from error
    if 'memory' in fields:
      raise self._replaced('memory')
    if 'error' in fields:
      raise errors.UserError(str(fields['error']))
    return fields, blobs

  def _take(
    self, on_part: OnPart, fields: dict[str, Any], blobs: list[bytes]
  ) -> None:
    try:
      on_part(fields, blobs)
    except (errors.UserError, problems.Problem):
      self._kill()  # else it would go on
      self._start()
      raise

  def _receive(self, seconds: float) -> tuple[dict[str, Any], list[bytes]]:
    """The next message, which has to be whole by then."""
    late = threading.Event()
    # In this order: what is read ends with the process.
    timer = threading.Timer(seconds, lambda: (late.set(), self._process.kill()))
    timer.start()
    try:
      message = self._connection.recv_bytes(decoding_process.MAX_BYTES)
    except (EOFError, OSError) as error:
      if late.is_set():
        raise TimeoutError from error
      raise
    finally:
      timer.cancel()
    return decoding_process.unpack(message)

  def _replaced(self, why: str) -> problems.Problem:
    self._kill()
    self._start()
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

  def _start(self) -> None:
    context = multiprocessing.get_context('spawn')
    self._connection, theirs = context.Pipe()
    self._process = context.Process(
      target=decoding_process.main,
      args=(theirs, *self._start_arguments),
      daemon=True,
    )
    self._process.start()
    theirs.close()
    self._ready = False

  def wait(self) -> None:
    """Returns once the process has loaded.

    Raises:
      UserError: loading raised it, or took minutes.
    """
    if self._process is None or self._connection.closed:  # it did not start
      self._start()
    if self._ready:
      return
    fields: dict[str, Any] = {
      'error': 'The process that decodes videos did not start; the lines above '
      'say why.'
    }
    with contextlib.suppress(EOFError, OSError):
      fields, _ = self._receive(_START_SECONDS)
    if 'error' in fields:
      self._kill()
      raise errors.UserError(str(fields['error']))
    self._ready = True

  def _kill(self) -> None:
    self._process.kill()
    self._process.join()
    self._connection.close()


class Pool:
  """Some decoders, and a queue of jobs before them; a context manager."""

  def __init__(self, made: Sequence[Decoder]):
    """Waits until all are ready; raises a UserError where one cannot be."""
    self._decoders = made
    with contextlib.ExitStack() as stack:
      for decoder in made:
        stack.enter_context(decoder)
      for decoder in made:
        decoder.wait()
      self._stack = stack.pop_all()
    # First come, first served; the one that rested last has the warmest caches.
    self._idle = asyncio.LifoQueue[Decoder]()
    for decoder in made:
      self._idle.put_nowait(decoder)

  def __enter__(self) -> Pool:
    return self

  def __exit__(self, *_: object) -> None:
    self._stack.close()

  async def run(
    self, job: dict[str, Any], file: BinaryIO, on_part: OnPart | None = None
  ) -> tuple[dict[str, Any], list[bytes]]:
    """The answer of whichever decoder is free first; as Decoder.run."""
    decoder = await self._idle.get()
    task = asyncio.create_task(decoder.run(job, file, on_part))
    # Not before the job has ended, though its caller may go away earlier.
    task.add_done_callback(lambda _: self._idle.put_nowait(decoder))
    return await asyncio.shield(task)
