"""Videos that a browser could not play, converted when one is wanted."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import pathlib
from typing import Any, BinaryIO

from nph_jax import errors
from nph_jax.service import cache as cache_lib
from nph_jax.service import decoders, limits, problems, transcoding

_LOG = logging.getLogger('uvicorn.error')
_FAILED = 1000  # videos that are not tried again


@dataclasses.dataclass
class Job:
  """One that is wanted and not there yet.

  Attributes:
    share: of it that is done.
    task: that makes it.
  """

  share: float = 0.0
  task: asyncio.Task[None] | None = None


class Converter:
  """One video after the other; what is made is in the cache."""

  def __init__(
    self,
    decoder: decoders.Decoder | None,
    form: transcoding.Form | None,
    cache: cache_lib.Cache,
    bounds: limits.Limits,
  ):
    """`decoder` does decoder_tasks' 'transcode'; None converts nothing."""
    self._decoder, self._form, self._cache = decoder, form, cache
    self._most = bounds.conversions
    self._jobs: dict[pathlib.Path, Job] = {}
    self._failed: dict[pathlib.Path, problems.Problem] = {}

  def find(self, path: pathlib.Path) -> pathlib.Path | None:
    """The converted file of the video at `path`, None where there is none."""
    place = self._place(path)
    return place if place and self._cache.has(place) else None

  def progress(self, path: pathlib.Path) -> float:
    """How much of a video is converted, 0 to 1; begins where nothing was.

    Raises:
      Problem: status 422, it cannot be converted; 501, none can; 503, too many
        wait.
    """
    place = self._place(path)
    if place is None:
      raise problems.Problem(
        501, 'This service cannot convert videos; PyAV is not installed.'
      )
    if self._cache.has(place):
      return 1.0
    if place in self._failed:
      raise self._failed[place]
    job = self._jobs.get(place)
    if job is None:
      job = self._begin(path, place)
    # At 1 it is in its place.
    return min(job.share, 0.99)

  def _begin(self, path: pathlib.Path, place: pathlib.Path) -> Job:
    if len(self._jobs) >= self._most:
      raise problems.Problem(
        503,
        f'{self._most} videos wait to be converted, as many as may; try again '
        'in a minute.',
        {'Retry-After': '60'},
      )
    job = self._jobs[place] = Job()
    job.task = asyncio.create_task(self._convert(job, path, place))
    job.task.add_done_callback(lambda _: self._jobs.pop(place))
    return job

  async def _convert(
    self, job: Job, path: pathlib.Path, place: pathlib.Path
  ) -> None:
    assert self._decoder is not None and self._form is not None
    wanted = {
      'do': 'transcode',
      'name': path.name,
      'form': transcoding.FORMS.index(self._form),
    }
    try:
      with open(path, 'rb') as file, self._cache.writing(place) as target:
        take = _Writer(job, target, self._cache.max_bytes // 2)
        await self._decoder.run(wanted, file, take)
    except (errors.UserError, problems.Problem, OSError) as error:
      _LOG.warning('%s is not converted: %s', path.name, error)
      self._remember(place, error)

  def _remember(self, place: pathlib.Path, error: Exception) -> None:
    status = getattr(error, 'status_code', 422)
    if status == 503 or isinstance(error, OSError):
      return
    text = getattr(error, 'detail', str(error))
    self._failed[place] = problems.Problem(status, text)
    if len(self._failed) > _FAILED:
      del self._failed[next(iter(self._failed))]

  def _place(self, path: pathlib.Path) -> pathlib.Path | None:
    if self._decoder is None or self._form is None:
      return None
    return self._cache.place(path, f'playable.{self._form.container}')


class _Writer:
  """Puts the parts of a new file where they belong, within its size."""

  def __init__(self, job: Job, target: BinaryIO, max_bytes: int):
    self._job, self._target, self._max = job, target, max_bytes

  def __call__(self, fields: dict[str, Any], blobs: list[bytes]) -> None:
    for place, content in zip(fields['at'], blobs, strict=True):
      # A process that a file has taken over may say anything.
      if not 0 <= int(place) <= self._max - len(content):
        raise problems.Problem(
          422,
          f'Converted, the video would be larger than {self._max >> 20:,} MiB, '
          'half of --cache_mb; convert it yourself.',
        )
      self._target.seek(int(place))
      with errors.writing('The folder of pictures and converted videos'):
        self._target.write(content)
    self._job.share = float(fields['share'])
