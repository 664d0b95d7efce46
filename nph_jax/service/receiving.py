"""A request's body as it arrives: not too much, not too slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from nph_jax.service import limits, problems


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
    if whole:  # what is waited for now is that the caller goes away
      return await receive()
    clock = asyncio.get_running_loop().time
    late = bounds.patience_seconds + arrived / bounds.upload_rate
    patience = min(bounds.upload_seconds, late)
    start = clock()
    try:
      async with asyncio.timeout(patience - waited):
        message = await receive()
    except TimeoutError as error:
      raise _too_slow(patience, arrived) from error
    waited += clock() - start
    count = len(message.get('body', b''))
    arrived += count
    if arrived > limit:
      raise problems.Problem(413, too_large(limit))
    take(count)
    whole = not message.get('more_body', False)
    return message

  return receive_bounded


def _too_slow(patience: float, arrived: int) -> problems.Problem:
  return problems.Problem(
    408,
    f'The upload took longer than {patience:.3g} s, and {arrived:,} bytes had '
    'come; send a smaller file, or from a faster connection.',
  )


def too_large(limit: int) -> str:
  """The sentence for a body of more than `limit` bytes."""
  size = f'{limit / (1 << 20):.3g} MiB' if limit >> 20 else f'{limit:,} bytes'
  return (
    f'The body is larger than the {size} that this address takes; send less.'
  )
