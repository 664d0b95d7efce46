"""A search box over an index: HTTP and a page, from one process.

python -m nph_jax.serve --index=DIR --bundle=DIR [--videos=DIR]
"""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import os
import pathlib
import re
import socket
import sys
from collections.abc import Callable, Sequence

from nph_jax import errors
from nph_jax.service import limits

_OLD_VARIABLE = 'NPH_TOKEN'
_MISSING = "{} is not installed; run pip install 'nph-jax[serve]'."
_NAME = re.compile(r'[A-Za-z0-9._-]+')


def _parser() -> argparse.ArgumentParser:
  parser = errors.Parser(
    prog='python -m nph_jax.serve',
    description='A search box over an index of videos.',
    allow_abbrev=False,
  )
  add = parser.add_argument
  add('--index', required=True, help='folder of `python -m nph_jax.index`')
  add('--bundle', required=True, help='folder export/ of a trained workdir')
  add('--videos', help='folder that was extracted; its videos are shown')
  add(
    '--follow_links',
    action='store_true',
    help='show also what links in --videos lead to elsewhere',
  )
  add('--host', default='127.0.0.1', help='address; 0.0.0.0 for all')
  add('--port', type=_port, default=8000, help='0 for any free one')
  add(
    '--backbone',
    help='for uploaded videos, as of `python -m nph_jax.extract`; by default '
    'what the index was extracted with',
  )
  add('--weights', help='weights file of the backbone')
  add(
    '--token_file',
    help='file with a token that callers must bear; - reads it from the input',
  )
  add(
    '--allowed_hosts',
    type=_names,
    action='extend',
    default=[],
    metavar='NAME[,NAME]',
    help='names, apart from localhost and --host, by which the service may be '
    'called where there is no token',
  )
  add(
    '--trusted_proxies',
    type=_addresses,
    default='',
    metavar='ADDRESS[,ADDRESS]',
    help='of reverse proxies, whose X-Forwarded-For and -Proto are believed',
  )
  add('--read_only', action='store_true', help='nothing is added or removed')
  _add_limits(parser)
  return parser


def _add_limits(parser: argparse.ArgumentParser) -> None:
  group = parser.add_argument_group('limits')
  for bound in _bounds():
    unit = bound.metadata['unit']
    kind = type(bound.default) if unit == 1 else float
    default = kind(bound.default / unit)
    group.add_argument(
      f'--{bound.metadata["flag"]}',
      type=_positive(kind),
      default=default,
      help=f'{bound.metadata["what"]} (default: {default:g})',
    )


def _bounds() -> list[dataclasses.Field]:
  """Those that have a flag."""
  return [x for x in dataclasses.fields(limits.Limits) if x.metadata]


def _port(text: str) -> int:
  if not (text.isdecimal() and int(text) < 1 << 16):
    raise argparse.ArgumentTypeError(f'{text!r} is none; expected 0 to 65535')
  return int(text)


def _names(text: str) -> list[str]:
  names = text.split(',')
  if not all(_NAME.fullmatch(name) for name in names):
    raise argparse.ArgumentTypeError(
      f'{text!r} is none; expected names as search.example, without a port'
    )
  return names


def _addresses(text: str) -> str:
  try:
    for address in filter(None, text.split(',')):
      ipaddress.ip_network(address)
  except ValueError as error:
    raise argparse.ArgumentTypeError(f'{error}; expected 127.0.0.1') from error
  return text


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
  def parse(text: str) -> float:
    value = kind(text)
    if not 0 < value < float('inf'):
      raise ValueError
    return value

  parse.__name__ = f'positive {kind.__name__}'
  return parse


def main(argv: Sequence[str] | None = None) -> None:
  """Serves until it is told to stop (SIGTERM or Ctrl-C).

  Raises:
    UserError: any bad flag or file, or a package that is missing.
  """
  flags = _parser().parse_args(argv)
  if flags.backbone is not None:
    from nph_jax.extraction import backbones  # slow; --help needs it not

    backbones.find(flags.backbone)
  token = _token(flags.token_file)
  listening = _listen(flags.host, flags.port)
  with listening:
    try:
      from nph_jax.service import server, start
    except ModuleNotFoundError as error:
      raise errors.UserError(_MISSING.format(error.name)) from error
    with start.service(_setup(flags, token)) as (app, words):
      address = _address(flags.host, listening)
      print(f'{words}\nopen {address}', flush=True)
      _warn_if_open(flags.host, token)
      server.serve(app, listening, flags.trusted_proxies)
  print('stopped.', flush=True)


def _setup(flags: argparse.Namespace, token: str | None) -> limits.Setup:
  given = {
    bound.name: type(bound.default)(
      getattr(flags, bound.metadata['flag']) * bound.metadata['unit']
    )
    for bound in _bounds()
  }
  plain = ('backbone', 'weights', 'read_only', 'follow_links')
  return limits.Setup(
    pathlib.Path(flags.index),
    pathlib.Path(flags.bundle),
    pathlib.Path(flags.videos) if flags.videos else None,
    token=token,
    hosts=(flags.host, *flags.allowed_hosts),
    bounds=limits.Limits(**given),
    **{name: getattr(flags, name) for name in plain},
  )


def _token(path: str | None) -> str | None:
  """The token in the file, None where no file is named.

  Neither a flag nor a variable: programs of the same user, and of others in
  the case of flags, see both of them.
  """
  if path is None:
    if _OLD_VARIABLE in os.environ:
      raise errors.UserError(
        f'{_OLD_VARIABLE}: is not read any more, since other programs can see '
        'it; give the token in a file, --token_file=FILE, or from the input, '
        '--token_file=-.'
      )
    return None
  source = f'--token_file={path}'
  try:
    text = (
      sys.stdin.readline() if path == '-' else pathlib.Path(path).read_text()
    )
  except (OSError, UnicodeDecodeError) as error:
    raise errors.UserError(
      f'{source}: cannot be read; give a text file with the token.'
    ) from error
  token = text.strip()
  if not (token.isascii() and token.isprintable() and token):
    raise errors.UserError(
      f'{source}: holds no token; expected one line of plain characters.'
    )
  return token


def _listen(host: str, port: int) -> socket.socket:
  family = socket.AF_INET6 if ':' in host else socket.AF_INET
  try:
    return socket.create_server((host, port), family=family, backlog=1024)
  # UnicodeError: of a name that no host can have.
  except (OSError, UnicodeError) as error:
    reason = getattr(error, 'strerror', None) or error
    raise errors.UserError(
      f'--host={host} --port={port}: cannot be listened at ({reason}); '
      'give another port, or 0 for any free one.'
    ) from error


def _address(host: str, listening: socket.socket) -> str:
  shown = f'[{host}]' if ':' in host else host
  return f'http://{shown}:{listening.getsockname()[1]}/'


def _warn_if_open(host: str, token: str | None) -> None:
  try:
    local = ipaddress.ip_address(host).is_loopback
  except ValueError:
    local = host == 'localhost'
  if not local and token is None:
    print(
      'warning: whoever reaches this address can search, add and remove; give '
      '--token_file or --read_only.',
      file=sys.stderr,
      flush=True,
    )


if __name__ == '__main__':
  errors.run_main(main)
