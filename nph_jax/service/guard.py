"""Who may ask, how large a body may be, and what a browser may do with it.

Plain ASGI, since it has to act before and while a body arrives.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Any
from urllib import parse

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser

from nph_jax.service import hosts as hosts_lib
from nph_jax.service import metrics as metrics_lib
from nph_jax.service import problems

COOKIE = 'nph_session'
# Nothing of the index is in these; the rest wants the token.
_OPEN = ('/', '/healthz', '/docs', '/openapi.json', '/session')
_OPEN_FOLDER = '/static/'
_HEADERS = {
  'Content-Security-Policy': (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  ),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
}
# Else the server would read the rest of the body, however long that is; others
# may send what they announced, and then hear what was wrong with it.
_HANG_UP = (408, 413)
_SMALL_BYTES = 64 << 10
# Whoever invents methods must not fill the memory with their names either.
_METHODS = ('DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT')


class Token:
  """The optional secret of the service; None lets everybody in."""

  def __init__(self, token: str | None):
    self.wanted = token is not None
    self._digest = _digest(token or '')
    # The cookie of a page is another secret, which ends with the process.
    self.session = secrets.token_urlsafe(32)

  def accepts(self, token: str) -> bool:
    """In the same time whatever is wrong."""
    return self.wanted and hmac.compare_digest(_digest(token), self._digest)

  def admits(self, headers: Headers) -> bool:
    """Whether a request bears the token, or the cookie that stands for it."""
    if not self.wanted:
      return True
    scheme, _, token = headers.get('authorization', '').partition(' ')
    if scheme.lower() == 'bearer' and self.accepts(token.strip()):
      return True
    cookie = cookie_parser(headers.get('cookie', '')).get(COOKIE, '')
    return hmac.compare_digest(_digest(cookie), _digest(self.session))


def _digest(text: str) -> bytes:
  return hashlib.blake2b(text.encode('utf-8', 'surrogateescape')).digest()


class Guard:
  """The outermost layer: checks, measures and marks every request."""

  def __init__(
    self,
    app: Any,
    token: Token,
    hosts: hosts_lib.Hosts,
    upload_bytes: int,
    metrics: metrics_lib.Metrics,
  ):
    self._app = app
    self._token = token
    self._hosts = hosts
    self._upload_bytes = upload_bytes
    self._metrics = metrics

  async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
    if scope['type'] != 'http':
      await self._app(scope, receive, send)
      return
    start, status = time.perf_counter(), 500
    endless = 'transfer-encoding' in Headers(scope=scope)

    async def marked_send(message: Any) -> None:
      nonlocal status
      if message['type'] == 'http.response.start':
        status = message['status']
        headers = MutableHeaders(scope=message)
        for name, value in _HEADERS.items():
          headers.setdefault(name, value)
        if status in _HANG_UP or (endless and status >= 400):
          headers['Connection'] = 'close'
      await send(message)

    try:
      refusal = self._refusal(scope)
      if refusal is not None:
        await refusal(scope, receive, marked_send)
      else:
        counted = self._counted(receive, scope['path'])
        await self._app(scope, counted, marked_send)
    finally:
      self._observe(scope, status, time.perf_counter() - start)

  def _refusal(self, scope: Any) -> Any:
    """The answer to a request that goes no further, None where it does."""
    headers, path = Headers(scope=scope), scope['path']
    host = headers.get('host', '')
    if not self._token.wanted and not self._hosts.accept(host):
      return problems.answer(421, hosts_lib.refusal(host))
    is_open = path in _OPEN or path.startswith(_OPEN_FOLDER)
    if not is_open and not self._token.admits(headers):
      return problems.answer(
        401,
        'This service wants its token: send the header "Authorization: Bearer '
        'TOKEN".',
        {'WWW-Authenticate': 'Bearer'},
      )
    # A page of another site can make a browser send, but not hide its origin.
    origin = headers.get('origin')
    if scope['method'] not in ('GET', 'HEAD', 'OPTIONS') and origin:
      if _host(origin) != host:
        return problems.answer(403, 'Pages of other sites may not send here.')
    length, limit = headers.get('content-length', '0'), self._limit(path)
    if length.isdecimal() and int(length[:20]) > limit:
      return problems.answer(413, too_large(limit))
    return None

  def _limit(self, path: str) -> int:
    """Bytes of a body; few where nobody has shown a token yet."""
    return _SMALL_BYTES if path == '/session' else self._upload_bytes

  def _counted(self, receive: Any, path: str) -> Any:
    """`receive` that stops at the limit, also where no length was announced."""
    arrived, limit = 0, self._limit(path)

    async def counted() -> Any:
      nonlocal arrived
      message = await receive()
      arrived += len(message.get('body', b''))
      if arrived > limit:
        raise problems.Problem(413, too_large(limit))
      return message

    return counted

  def _observe(self, scope: Any, status: int, seconds: float) -> None:
    # The route's pattern, not the address: whoever asks for many addresses
    # must not fill the memory with their names.
    route = getattr(scope.get('route'), 'path', 'other')
    known = route != 'other' and scope['method'] in _METHODS
    method = scope['method'] if known else 'other'
    self._metrics.requests.labels(method, route, str(status)).inc()
    self._metrics.seconds.labels(method, route).observe(seconds)


def _host(origin: str) -> str:
  try:
    return parse.urlsplit(origin).netloc
  except ValueError:  # of an address with half a bracket
    return ''


def too_large(limit: int) -> str:
  return (
    f'The upload is larger than the {limit / (1 << 20):.3g} MiB that this '
    'service takes; send a smaller file.'
  )
