"""Who may ask, how large a body may be, and what a browser may do with it.

Plain ASGI, since it has to act before and while a body arrives.
"""

from __future__ import annotations

import contextlib
import ipaddress
import time
from collections.abc import Sequence
from typing import Any
from urllib import parse

from starlette.datastructures import Headers, MutableHeaders

from nph_jax.service import problems, rooms

# Nothing of the index is in these; the rest wants the token.
_OPEN = ('/', '/healthz', '/docs', '/openapi.json', '/session')
_OPEN_FOLDER = '/static/'
# Of addresses that change nothing whatever is sent to them.
_SEARCHES = ('/search', '/session')
_CONVERTS = '/converted'
_READING = ('GET', 'HEAD', 'OPTIONS')
_HEADERS = {
  'Content-Security-Policy': (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  ),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-cache',
}
# Else the server would read the rest of the body, however long that is; others
# may send what they announced, and then hear what was wrong with it.
_HANG_UP = (408, 413)
_SMALL_BYTES = 4 << 10
_BIT_BYTES = 32  # of JSON, with its real value
_OTHER_NAME = (
  'This service does not go by that name; open it by its address, or start it '
  'with --allowed_hosts=NAME if that name is its own.'
)


class Guard:
  """The outermost layer: checks, measures and marks every request."""

  def __init__(self, app: Any, state: Any, names: Sequence[str]):
    """`state` and `names` are those of app.create."""
    self._app, self._state = app, state
    self._bounds = state.service.bounds
    self._names = {name.lower() for name in ('localhost', *names) if name}

  async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
    if scope['type'] != 'http':
      await self._app(scope, receive, send)
      return
    start = time.perf_counter()
    answering = _Answering(send, 'transfer-encoding' in Headers(scope=scope))
    try:
      await self._answer(scope, receive, answering.send)
    finally:
      self._observe(scope, answering.status, time.perf_counter() - start)

  async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
    headers = Headers(scope=scope)
    try:
      self._check(scope, headers)
    except problems.Problem as problem:
      if problem.status_code == 413:
        await rooms.discard(receive, int(headers['content-length']))
      refusal = problems.answer(
        problem.status_code, problem.detail, problem.headers
      )
      await refusal(scope, receive, send)
      return
    with contextlib.ExitStack() as held, self._state.memory.share() as take:
      # Of a video only what comes before its file is kept in memory, which the
      # reader of forms takes; and what is held is given back at the end.
      scope.setdefault('state', {}).update(held=held, take=take)
      limit = self._limit(scope['path'])
      nothing = limit == self._bounds.upload_bytes
      receive = rooms.bounded(
        receive, limit, self._bounds, (lambda _: None) if nothing else take
      )
      await self._app(scope, receive, send)

  def _check(self, scope: Any, headers: Headers) -> None:
    """Raises a Problem for a request that goes no further."""
    path, caller = scope['path'], (scope.get('client') or [''])[0]
    is_open = path in _OPEN or path.startswith(_OPEN_FOLDER)
    if not is_open and not self._state.token.admits(headers, caller):
      raise problems.Problem(
        401,
        'This service wants its token: send the header "Authorization: Bearer '
        'TOKEN".',
        {'WWW-Authenticate': 'Bearer'},
      )
    # Without a token, whoever can make a browser on this machine ask is let
    # in. A page of another site can do that by giving its own name this
    # machine's address; only the name tells.
    if not (self._state.token.wanted or self._goes_by(headers.get('host', ''))):
      raise problems.Problem(421, _OTHER_NAME)
    if scope['method'] not in _READING:
      # A page of another site can make a browser send, but not hide its origin.
      origin = headers.get('origin')
      if origin and _host(origin) != headers.get('host', ''):
        raise problems.Problem(403, 'Pages of other sites may not send here.')
      harmless = path.startswith(_SEARCHES) or path.endswith(_CONVERTS)
      if self._state.service.setup.read_only and not harmless:
        raise problems.Problem(
          403, 'This service only searches: it was started with --read_only.'
        )
    length, limit = headers.get('content-length', '0'), self._limit(path)
    if length.isdecimal():
      rooms.check(int(length[:20]), limit)

  def _goes_by(self, host: str) -> bool:
    """Whether a header Host names an address, as no other site can, or us."""
    try:
      name = parse.urlsplit(f'//{host}').hostname or ''
      return name.rstrip('.') in self._names or bool(ipaddress.ip_address(name))
    except ValueError:
      return False

  def _limit(self, path: str) -> int:
    """Bytes of a body; few where nobody has shown a token yet."""
    if path in ('/search/video', '/videos'):
      return self._bounds.upload_bytes
    if path.endswith('/features'):
      return self._state.feature_bytes
    if path.endswith('/code'):
      return _SMALL_BYTES + _BIT_BYTES * self._state.service.index.num_bits
    return _SMALL_BYTES

  def _observe(self, scope: Any, status: int, seconds: float) -> None:
    # The route's pattern, not the address, and its own methods: whoever invents
    # some must not fill the memory with their names.
    found = scope.get('route')
    route = getattr(found, 'path', 'other')
    known = scope['method'] in getattr(found, 'methods', ())
    method = scope['method'] if known else 'other'
    metrics = self._state.metrics
    metrics.requests.labels(method, route, str(status)).inc()
    metrics.seconds.labels(method, route).observe(seconds)


class _Answering:
  """Marks an answer on its way; what libraries say in text becomes a problem.

  Attributes:
    status: of the answer; 500 where none began.
  """

  def __init__(self, send: Any, endless: bool):
    self.status = 500
    self._send = send
    self._endless = endless
    self._start: Any = None

  async def send(self, message: Any) -> None:
    if message['type'] == 'http.response.start':
      self.status = message['status']
      headers = MutableHeaders(scope=message)
      for name, value in _HEADERS.items():
        headers.setdefault(name, value)
      failed = self.status >= 400
      if self.status in _HANG_UP or (self._endless and failed):
        headers['Connection'] = 'close'
      if failed and headers.get('content-type', '').startswith('text/plain'):
        self._start = message
        return
    elif self._start is not None:
      message = self._as_problem(message.get('body', b'').decode())
      await self._send(self._start)
      self._start = None
    await self._send(message)

  def _as_problem(self, text: str) -> Any:
    made = problems.answer(self.status, problems.in_words(self.status, text))
    headers = MutableHeaders(scope=self._start)
    headers['content-type'] = made.headers['content-type']
    headers['content-length'] = made.headers['content-length']
    return {'type': 'http.response.body', 'body': made.body}


def _host(origin: str) -> str:
  try:
    return parse.urlsplit(origin).netloc
  except ValueError:  # of an address with half a bracket
    return ''
