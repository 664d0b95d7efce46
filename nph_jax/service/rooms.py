"""How much may be sent, and how many may be served at once.

Who finds no room is told when to come back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from nph_jax.service import limits, problems

_DISCARDED_BYTES, _DISCARDED_SECONDS = 1 << 20, 1.0


class Room:
  """So many places, or bytes, for all callers together.

  In bytes rather than bodies where these arrive: who sends nothing takes no
  place of others.

  Attributes:
    held: of them.
  """

  def __init__(self, size: int, sentence: str):
    """`sentence` is for whom there is no room, without its end."""
    self.held = 0
    self._size, self._sentence = size, sentence

  @contextlib.contextmanager
  def share(self, count: int = 0) -> Iterator[Callable[[int], None]]:
    """Takes `count`, and yields what takes more; gives all back in the end.

    Both raise a Problem, status 503, when there is not as much left.
    """
    taken = 0

    def take(count: int) -> None:
      nonlocal taken
      if self.held + count > self._size:
        raise problems.Problem(
          503,
          f'{self._sentence}; try again in a second.',
          {'Retry-After': '1'},
        )
      self.held += count
      taken += count

    try:
      take(count)
      yield take
    finally:
      self.held -= taken


def room(places: int, what: str) -> Room:
  """For so many of something at once."""
  return Room(
    places, f'The service has {places} {what} in progress, as many as it takes'
  )


def bounded(
  receive: Any, limit: int, bounds: limits.Limits, take: Callable[[int], None]
) -> Any:
  """`receive` of ASGI, which gives up on a body that breaks a limit.

  What counts is the time that bytes are waited for, not what is done with them.

  Args:
    receive: of the server.
    limit: bytes of the body.
    bounds: of pace.
    take: told of bytes before they are handed on; raises if there is no room.

  Returns:
    An awaitable function that raises a Problem: status 413, there are more
    bytes; 408, they come too slowly; or what `take` raises.
  """
  waited, arrived, whole = 0.0, 0, False

  async def receive_bounded() -> Any:
    nonlocal waited, arrived, whole
    if whole:  # only the caller's leaving can come now, whenever it likes
      return await receive()
    clock = asyncio.get_running_loop().time
    late = bounds.patience_seconds + arrived / bounds.upload_rate
    patience = min(bounds.upload_seconds, late)
    start = clock()
    try:
      async with asyncio.timeout(patience - waited):
        message = await receive()
    except TimeoutError as error:
      raise problems.Problem(
        408,
        f'The upload took longer than {patience:.3g} s, and {arrived:,} bytes '
        'had come; send a smaller file, or from a faster connection.',
      ) from error
    waited += clock() - start
    count = len(message.get('body', b''))
    arrived += count
    check(arrived, limit)
    take(count)
    whole = not message.get('more_body', False)
    return message

  return receive_bounded


async def discard(receive: Any, announced: int) -> None:
  """Reads a body of so many bytes that is refused, unless it is long or slow.

  Who hangs up on bytes that nobody read resets the connection, and the answer
  may be lost with it.
  """
  if announced > _DISCARDED_BYTES:
    return
  with contextlib.suppress(TimeoutError):
    async with asyncio.timeout(_DISCARDED_SECONDS):
      while (await receive()).get('more_body', False):
        pass


def check(count: int, limit: int) -> None:
  """Raises a Problem, status 413, for a body of more bytes than `limit`."""
  if count > limit:
    size = f'{limit / (1 << 20):.3g} MiB' if limit >> 20 else f'{limit:,} bytes'
    raise problems.Problem(
      413,
      f'The body is larger than the {size} that this address takes; send less.',
    )
