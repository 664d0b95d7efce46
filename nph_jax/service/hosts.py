"""By which names the service may be called.

Without a token, whoever can make a browser on this machine ask is let in. A
page of another site can do that by giving its own name this machine's address;
the browser then holds the service for that site. Only the name tells.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib import parse

_LOCAL = 'localhost'
_SHOWN = 60


class Hosts:
  """The names that are the service's own; addresses always are."""

  def __init__(self, names: Iterable[str] = ()):
    # Not the empty name, which whoever sends no name at all would have.
    self._names = {_plain(name) for name in (_LOCAL, *names) if name}

  def accept(self, host: str) -> bool:
    """Whether a request with the header `Host: host` is meant for us."""
    name = _plain(_without_port(host))
    return name in self._names or _is_address(name)


def refusal(host: str) -> str:
  """The sentence for whoever calls the service by another name."""
  return (
    f'This service does not go by the name {_without_port(host)[:_SHOWN]!r}; '
    'open it by its address, or start it with --allowed_hosts=NAME if that '
    'name is its own.'
  )


def _without_port(host: str) -> str:
  try:
    return parse.urlsplit(f'//{host}').hostname or ''
  except ValueError:  # of an address with half a bracket
    return ''


def _plain(name: str) -> str:
  return name.lower().removesuffix('.')


def _is_address(name: str) -> bool:
  try:
    ipaddress.ip_address(name)
  except ValueError:
    return False
  return True
