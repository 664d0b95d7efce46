"""The optional token, and how fast it may be guessed."""

from __future__ import annotations

import collections
import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from nph_jax.service import problems

COOKIE = 'nph_session'
_FREE = 5  # wrong tokens that cost no time
_LONGEST = 60.0  # seconds between guesses
_CALLERS = 10_000  # that are remembered


class Guesses:
  """Wrong tokens by caller: each further one has to wait twice as long."""

  def __init__(self, clock: Callable[[], float] = time.monotonic):
    self._clock = clock
    self._wrong: collections.OrderedDict[str, tuple[int, float]] = (
      collections.OrderedDict()
    )

  def check(self, caller: str) -> None:
    """Raises a Problem, status 429, where it is too soon for another guess."""
    count, last = self._wrong.get(_network(caller), (0, 0.0))
    pause = min(2.0 ** (count - _FREE), _LONGEST) if count >= _FREE else 0.0
    left = last + pause - self._clock()
    if pause and left > 0:
      raise problems.Problem(
        429,
        'Too many wrong tokens came from your address; try again later.',
        {'Retry-After': str(int(left) + 1)},
      )

  def wrong(self, caller: str) -> None:
    """Remembers a wrong token; the longest ago are forgotten first."""
    count, _ = self._wrong.pop(_network(caller), (0, 0.0))
    self._wrong[_network(caller)] = count + 1, self._clock()
    while len(self._wrong) > _CALLERS:
      self._wrong.popitem(last=False)

  def right(self, caller: str) -> None:
    self._wrong.pop(_network(caller), None)


def _network(caller: str) -> str:
  """Whoever has one address of IPv6 has the 2^64 beside it."""
  if ':' not in caller:
    return caller
  try:
    return str(ipaddress.ip_network((caller, 64), strict=False))
  except ValueError:
    return caller


class Token:
  """The secret of the service; None lets everybody in."""

  def __init__(self, token: str | None):
    self.wanted = token is not None
    self.guesses = Guesses()
    self._digest = _digest(token or '')
    # The cookie of a page is another secret, which ends with the process.
    self.session = secrets.token_urlsafe(32)

  def accepts(self, token: str, caller: str) -> bool:
    """Compares in the same time whatever is wrong.

    Raises:
      Problem: status 429, the caller guesses too fast.
    """
    self.guesses.check(caller)
    if self.wanted and hmac.compare_digest(_digest(token), self._digest):
      self.guesses.right(caller)
      return True
    self.guesses.wrong(caller)
    return False

  def admits(self, headers: Headers, caller: str) -> bool:
    """Whether a request bears the token, or the cookie that stands for it."""
    if not self.wanted:
      return True
    cookie = cookie_parser(headers.get('cookie', '')).get(COOKIE, '')
    if hmac.compare_digest(_digest(cookie), _digest(self.session)):
      return True
    scheme, _, token = headers.get('authorization', '').partition(' ')
    return scheme.lower() == 'bearer' and self.accepts(token.strip(), caller)


def _digest(text: str) -> bytes:
  return hashlib.blake2b(text.encode('utf-8', 'surrogateescape')).digest()
