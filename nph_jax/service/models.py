"""What callers send, as pydantic checks it and /docs describes it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import fastapi
import pydantic

from nph_jax.service import listing
from nph_jax.service import service as service_lib

_MAX_ID = 2**63 - 2
_NAMES, _NAME_LENGTH = 64, 100
# Said by the service itself, so that no caller can claim another file's name.
_RESERVED = frozenset(
  'backbone duration frame_times hash height path stored width'.split()
)


def _service(request: fastapi.Request) -> service_lib.Service:
  return request.app.state.service


Access = Annotated[service_lib.Service, fastapi.Depends(_service)]
Id = Annotated[int, fastapi.Path(ge=0, le=_MAX_ID)]
Features = Annotated[
  bytes,
  fastapi.Body(
    media_type='application/x-npy',
    description='features of one video (frames, width), as numpy.save writes',
  ),
]


class Indexed(pydantic.BaseModel):
  """An indexed video."""

  id: int = pydantic.Field(ge=0, le=_MAX_ID, strict=True)


class Coded(pydantic.BaseModel):
  """A code, as the `query` of an answer with `bits` holds it."""

  code: list[Literal[0, 1]] = pydantic.Field(max_length=1 << 16)
  relaxed: list[pydantic.FiniteFloat] | None = pydantic.Field(
    None, max_length=1 << 16, description='its real values'
  )


class Sent(pydantic.BaseModel):
  """An upload, as the `query` of the answer to it names it."""

  upload: str = pydantic.Field(pattern='^[0-9a-f]{32}$')


class Apart(pydantic.BaseModel):
  """Videos no two of which are copies."""

  ids: list[Annotated[int, pydantic.Field(ge=0, le=_MAX_ID, strict=True)]] = (
    pydantic.Field(min_length=2, max_length=1000)
  )


class Session(pydantic.BaseModel):
  """What a page exchanges for a cookie."""

  token: str = pydantic.Field(max_length=1000)


class Wanted(pydantic.BaseModel):
  """What is wanted of a search."""

  k: int = pydantic.Field(10, ge=1, description='results')
  radius: int | None = pydantic.Field(
    None, ge=0, description='largest distance in bits'
  )
  rank: Literal['hamming', 'asymmetric'] | None = pydantic.Field(
    None,
    description='by the bits that differ, or by how well codes match the '
    "query's real values. By default what is best here: where an upload is "
    'within videos, if they have segments; by real values where these are '
    'known and the engine is `flat`; else by bits',
  )
  rerank: int = pydantic.Field(
    0,
    ge=0,
    description='nearest videos, k at least, that are ordered anew by their '
    'real-valued codes',
  )
  where: str | None = pydantic.Field(
    None, description='what the metadata must hold, as {"labels": "dog"}'
  )
  bits: bool = pydantic.Field(
    False, description='say which bits differ, for each result'
  )

  @pydantic.field_validator('where')
  @classmethod
  def _check_where(cls, text: str | None) -> str | None:
    plain = (str, int, float)
    if text and not all(isinstance(x, plain) for x in _object(text).values()):
      raise ValueError('expected plain values, as {"labels": "dog"}.')
    return text

  @property
  def filters(self) -> dict[str, Any] | None:
    return _object(self.where) if self.where else None


class Browsed(pydantic.BaseModel):
  """Which videos are wanted, and in which order."""

  name: str = pydantic.Field(
    '', max_length=200, description='that the name of the file holds'
  )
  label: str | None = pydantic.Field(None, description='that they have')
  sort: listing.Sort = 'added'
  descending: bool = False
  offset: int = pydantic.Field(0, ge=0, le=_MAX_ID)
  limit: int = pydantic.Field(24, ge=1, le=200)


class Copies(pydantic.BaseModel):
  """What counts as a copy, as the flags of `nph-jax duplicates` say it."""

  false_pairs: float | None = pydantic.Field(
    None, gt=0, allow_inf_nan=False, description='that may be expected'
  )
  radius: float | None = pydantic.Field(
    None, gt=0, allow_inf_nan=False, description='the distance itself'
  )
  keep: str | None = pydantic.Field(
    None, pattern='^[a-z_,]{1,200}$', description='rules, the weightiest first'
  )
  since: str | None = pydantic.Field(
    None, pattern=r'^[\d-]{1,10}$', description='an id, or a day'
  )

  @property
  def flags(self) -> list[str]:
    given = self.model_dump(exclude_none=True)
    return [f'--{name}={value}' for name, value in given.items()]


def _object(text: str) -> dict[str, Any]:
  try:
    fields = json.loads(text)
    # No NaN, no number too large, no half character: it is written again.
    json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
  except (ValueError, RecursionError) as error:
    raise ValueError('is not JSON.') from error
  if not isinstance(fields, dict):
    raise ValueError('is not a JSON object, as {"labels": "dog"}.')
  return fields


def metadata(text: str) -> dict[str, Any]:
  """What a caller adds to a video; ValueError where it cannot be kept."""
  fields = _object(text) if text else {}
  if reserved := sorted(_RESERVED & set(fields)):
    raise ValueError(
      f'the name `{reserved[0]}` is kept for what the service finds itself; '
      'use another.'
    )
  # Every name is a row of the index, which it keeps.
  if len(fields) > _NAMES or any(len(name) > _NAME_LENGTH for name in fields):
    raise ValueError(
      f'has more than {_NAMES} names, or one of more than {_NAME_LENGTH} '
      'characters.'
    )
  return fields


Metadata = Annotated[str, pydantic.AfterValidator(metadata)]
METADATA = 'a JSON object that goes with the video, as {"labels": ["dog"]}'
