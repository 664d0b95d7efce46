"""Room for so many at once; who finds none is told when to come back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from nph_jax.service import problems


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
    self._size = size
    self._sentence = sentence

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
