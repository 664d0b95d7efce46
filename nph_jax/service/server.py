"""HTTP by uvicorn, which hangs up on those who only hold a connection.

uvicorn waits for ever for the rest of a request's head, and for who does not
read an answer: some hundred such connections, and nobody else is answered.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any, ClassVar

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 5.0  # from a connection, or the first byte of a head, to its end
STALL_SECONDS = 60.0  # in which nothing of an answer is read
_GRACE_SECONDS = 30
# Files that are open beside connections, and one for each of these.
_OTHER_FILES = 64
_MOST_FILES = 1 << 16
_FEW_FILES = 512  # of a C library that limits them itself, as that of Windows
_BACKLOG = 100
_LEAST = 16  # connections


class Protocol(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
  """uvicorn's, with two time limits and as many connections as it has room for.

  Where there is no room, who waits longest for the end of a head has to go.
  """

  most: ClassVar[int] = _MOST_FILES
  _without_head: ClassVar[dict[Protocol, None]] = {}
  _timer: asyncio.TimerHandle | None = None

  def _wait(self, seconds: float | None) -> None:
    """Hangs up in so many seconds, None for not at all."""
    if self._timer is not None:
      self._timer.cancel()
    self._timer = seconds and self.loop.call_later(
      seconds, self.transport.abort
    )
    self._without_head.pop(self, None)

  def _wait_for_head(self) -> None:
    self._wait(HEAD_SECONDS)
    self._without_head[self] = None

  def connection_made(self, transport: Any) -> None:
    super().connection_made(transport)
    self._wait_for_head()
    if len(self.connections) > self.most:
      oldest = next(iter(self._without_head))
      del self._without_head[oldest]
      oldest.transport.abort()

  def data_received(self, data: bytes) -> None:
    super().data_received(data)
    answered = self.cycle is None or self.cycle.response_complete
    if answered and self._timer is None:
      self._wait_for_head()
    elif not answered and self in self._without_head:
      self._wait(None)

  def pause_writing(self) -> None:
    super().pause_writing()
    self._wait(STALL_SECONDS)

  def resume_writing(self) -> None:
    super().resume_writing()
    self._wait(None)

  def connection_lost(self, exc: Exception | None) -> None:
    self._wait(None)
    super().connection_lost(exc)


def server(
  app: Any, proxies: str = '', log_level: str = 'warning'
) -> uvicorn.Server:
  """A server of `app`, to be run.

  Args:
    app: of ASGI.
    proxies: addresses that are believed whom they ask for, with commas between;
      uvicorn itself would believe all of this machine.
    log_level: of uvicorn.
  """
  return uvicorn.Server(
    uvicorn.Config(
      app,
      http=Protocol,
      # uvloop would hang up on whoever comes when no file can be opened.
      loop='asyncio',
      backlog=_BACKLOG,
      ws='none',
      log_level=log_level,
      access_log=False,
      server_header=False,
      proxy_headers=bool(proxies),
      forwarded_allow_ips=proxies,
      timeout_graceful_shutdown=_GRACE_SECONDS,
    )
  )


def serve(app: Any, listening: socket.socket, proxies: str = '') -> None:
  """Answers until it is told to stop (SIGTERM or Ctrl-C)."""
  # The end by a signal is this program's way to end, not a failure of it.
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: None)
  # Connections inherit it. asyncio sets it for sockets of its own making alone,
  # and without it a body waits 40 ms until the head before it is acknowledged.
  listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
  Protocol.most = max((_raised_files() - _OTHER_FILES) // 2, _LEAST)
  server(app, proxies).run(sockets=[listening])


def _raised_files() -> int:
  """How many files may be open, after asking for more."""
  try:
    import resource
  except ImportError:  # Windows
    return _FEW_FILES
  soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
  wanted = _MOST_FILES if hard < 0 else min(hard, _MOST_FILES)
  try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
  except (OSError, ValueError):  # of systems that have a limit of their own
    return soft
  return wanted
