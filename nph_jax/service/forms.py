"""Forms, taken apart while they arrive.

Each part is given away as soon as its headers are there, so that what is not
wanted is refused before its content comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from python_multipart import exceptions, multipart

from nph_jax.service import problems

_HEADER_BYTES = 16 << 10  # of one part


class Part(Protocol):
  """Where the content of a part goes."""

  def write(self, content: bytes) -> None: ...

  def end(self) -> None: ...


class Form:
  """Takes one form apart."""

  def __init__(
    self, content_type: str, open_part: Callable[[str, str | None], Part]
  ):
    """Args as follows.

    Args:
      content_type: the header of the request.
      open_part: told a part's name, and its file's name if it is a file.

    Raises:
      Problem: status 400, the header names no boundary.
    """
    self._open_part = open_part
    self._part: Part | None = None
    self._whole = False
    self._on_part_begin()
    _, options = multipart.parse_options_header(content_type)
    if not options.get(b'boundary'):
      raise _malformed('has no boundary in its Content-Type')
    try:
      self._parser = multipart.MultipartParser(
        options[b'boundary'],
        {
          'on_part_begin': self._on_part_begin,
          'on_header_field': self._on_header_field,
          'on_header_value': self._on_header_value,
          'on_header_end': self._on_header_end,
          'on_headers_finished': self._on_headers_finished,
          'on_part_data': self._on_part_data,
          'on_part_end': self._on_part_end,
          'on_end': self._on_end,
        },
      )
    except exceptions.FormParserError as error:
      raise _malformed('has too long a boundary') from error

  def write(self, chunk: bytes) -> None:
    """Takes the next bytes.

    Raises:
      Problem: status 400, they are not those of a form; or what a part raises.
    """
    try:
      self._parser.write(chunk)
    except exceptions.FormParserError as error:
      raise _malformed('is not one') from error

  def end(self) -> None:
    """Raises a Problem, status 400, where something is missing."""
    if not self._whole:
      raise _malformed('breaks off before its end')

  def _on_part_begin(self) -> None:
    self._headers: dict[bytes, bytes] = {}
    self._header_bytes = 0
    self._name, self._value = bytearray(), bytearray()

  def _on_header_field(self, data: bytes, start: int, end: int) -> None:
    self._count_header(end - start)
    self._name += data[start:end]

  def _on_header_value(self, data: bytes, start: int, end: int) -> None:
    self._count_header(end - start)
    self._value += data[start:end]

  def _count_header(self, count: int) -> None:
    self._header_bytes += count
    if self._header_bytes > _HEADER_BYTES:
      raise _malformed('has a part whose headers are too long')

  def _on_header_end(self) -> None:
    self._headers[bytes(self._name).lower()] = bytes(self._value)
    self._name, self._value = bytearray(), bytearray()

  def _on_headers_finished(self) -> None:
    disposition = self._headers.get(b'content-disposition', b'')
    _, options = multipart.parse_options_header(disposition)
    if b'name' not in options:
      raise _malformed('has a part without a name')
    filename = options.get(b'filename')
    self._part = self._open_part(
      text(options[b'name']), None if filename is None else text(filename)
    )

  def _on_part_data(self, data: bytes, start: int, end: int) -> None:
    assert self._part is not None
    self._part.write(data[start:end])

  def _on_part_end(self) -> None:
    assert self._part is not None
    self._part.end()
    self._part = None

  def _on_end(self) -> None:
    self._whole = True


def text(content: bytes | bytearray) -> str:
  """In UTF-8, as browsers write it, and else in Latin-1."""
  try:
    return content.decode()
  except UnicodeDecodeError:
    return content.decode('latin-1')


def _malformed(what: str) -> problems.Problem:
  return problems.Problem(
    400, f'The form {what}; send multipart/form-data as curl -F does.'
  )
