"""Copies: which videos are, and which ones a person said are none."""

from __future__ import annotations

from typing import Annotated, Any

import fastapi

from nph_jax.service import views
from nph_jax.service.models import Access, Apart, Copies

router = fastapi.APIRouter(tags=['duplicates'])


@router.get('/duplicates')
async def duplicates(
  service: Access, wanted: Annotated[Copies, fastapi.Query()]
) -> dict[str, Any]:
  """Groups of copies, with the fields of `nph-jax duplicates --json`.

  `video` of each result is that video as /videos has it. All are looked
  through, which may take a minute where there are very many; what has not
  changed since is answered at once.
  """
  found = await service.duplicates.find(wanted.flags)
  shown = dict(service.known([row['id'] for row in found['results']]))
  rows = []
  for row in found['results']:
    if row['id'] in shown:
      video = views.video(service, row['id'], shown[row['id']])
      about = video['metadata']
      path = about.get('path') or about.get('name')
      rows.append({**row, 'path': path, 'video': video})
  return {**found, 'results': rows}


@router.post('/duplicates/rejected', status_code=204)
async def reject(service: Access, body: Apart) -> None:
  """Remembers that no two of these videos are copies."""
  await service.duplicates.reject(body.ids)
