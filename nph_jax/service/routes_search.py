"""POST /search, and what is asked along with it."""

from __future__ import annotations

import time
from typing import Annotated, Any

import fastapi
import numpy as np

from nph_jax.service import problems, searching, strict_json, views
from nph_jax.service.app_state import Access, read_body

router = fastapi.APIRouter()

_FILE = {'type': 'string', 'format': 'binary'}
BODY = {
  'requestBody': {
    'required': True,
    'content': {
      'multipart/form-data': {
        'schema': {
          'type': 'object',
          'properties': {'video': _FILE, 'features': _FILE},
        }
      },
      'application/x-npy': {'schema': _FILE},
      'application/json': {
        'schema': {
          'type': 'object',
          'properties': {'id': {'type': 'integer'}},
          'required': ['id'],
        }
      },
    },
  }
}


@router.post('/search', openapi_extra=BODY, tags=['search'])
async def search(
  request: fastapi.Request,
  service: Access,
  k: Annotated[int, fastapi.Query(ge=1, description='results wanted')] = 10,
  radius: Annotated[
    int | None, fastapi.Query(ge=0, description='largest distance in bits')
  ] = None,
  rerank: Annotated[
    int,
    fastapi.Query(
      ge=0,
      description='nearest videos that are ordered anew by their real-valued '
      'codes; 0 or at least k',
    ),
  ] = 0,
  where: Annotated[
    str | None,
    fastapi.Query(
      description='what the metadata must hold, as {"labels": "dog"}'
    ),
  ] = None,
  bits: Annotated[
    bool, fastapi.Query(description='say which bits differ, for each result')
  ] = False,
) -> dict[str, Any]:
  """The k videos nearest to a video, to frame features, or to an indexed id.

  Send a form with a file `video` (or `features`), a `.npy` body of one video's
  features (frames, width), or `{"id": 17}`. A video that is searched with by
  its id is not among its own results.
  """
  start = time.perf_counter()
  _check_k(service.bounds.k, k, rerank)
  filters = _filters(where)
  async with read_body(request) as body:
    # Not before the body is there: who sends slowly takes nobody's place.
    with service.gate.enter():
      seen = await service.see(body)
      own = int(body.id is not None)
      if rerank and seen.code.relaxed is None:
        raise problems.Problem(
          422, 'This index keeps no real-valued codes; search without rerank.'
        )
      found = await service.search(
        searching.Query(
          seen.code, k + own, radius, rerank + own if rerank else 0, filters
        )
      )
  hits = [hit for hit in found if hit.id != body.id][:k]
  labels = views.labels(seen.metadata)
  results = [views.result(service, hit, labels) for hit in hits]
  if bits:
    await views.add_differing_bits(service, results, seen.code.packed)
  return {
    'query': {
      **views.query(service, body.id, seen),
      'code': np.unpackbits(seen.code.packed).tolist() if bits else None,
    },
    'results': results,
    'seconds': time.perf_counter() - start,
  }


def _check_k(limit: int, k: int, rerank: int) -> None:
  for name, value in (('k', k), ('rerank', rerank)):
    if value > limit:
      raise problems.Problem(422, f'{name}: {value} is more than {limit}.')
  if rerank and rerank < k:
    raise problems.Problem(
      422, f'rerank: {rerank} is less than k, {k}; order at least k videos.'
    )


def _filters(where: str | None) -> dict[str, Any] | None:
  if not where:
    return None
  try:
    filters = strict_json.loads(where)
  except ValueError as error:
    raise problems.Problem(422, 'where: is not JSON.') from error
  plain = isinstance(filters, dict) and all(
    isinstance(value, str | int | float) for value in filters.values()
  )
  if not plain:
    raise problems.Problem(
      422, 'where: expected an object of plain values, as {"labels": "dog"}.'
    )
  return filters
