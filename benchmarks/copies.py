"""Copies of videos, as they go around: recoded, cropped, framed, cut, sped up.

Made by PyAV with libavfilter, and by NumPy where two videos meet. All are H.264
in mp4, at crf 23 unless said otherwise.
"""

from __future__ import annotations

import importlib
import itertools
import pathlib
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from nph_jax import errors

_FAST = {'preset': 'veryfast', 'threads': '1'}
_CROP_10 = ('crop', 'iw*0.9:ih*0.9')
_BLUE_FRAME = (
  ('scale', 'iw*0.6:ih*0.6'), ('pad', 'iw/0.6:ih/0.6:(ow-iw)/2:(oh-ih)/2:blue'),
)  # fmt: skip
# Kinds that a chain of filters makes: names of libavfilter and arguments.
_FILTERS: Mapping[str, tuple[tuple[str, str], ...]] = {
  'plain': (),
  'crf 38': (),
  'halved': (('scale', 'iw/2:ih/2'),),
  'crop 10 %': (_CROP_10,),
  'crop 25 %': (('crop', 'iw*0.75:ih*0.75'),),
  'letterbox': (('pad', 'iw:ih*1.333:0:(oh-ih)/2'),),
  'mirror': (('hflip', ''),),
  'grey': (('hue', 's=0'),),
  'brighter': (('lutyuv', 'y=val*1.2+16'),),
  '3 degrees': (('rotate', '3*PI/180'),),
  'logo': (('drawbox', 'iw*0.78:ih*0.05:iw*0.17:ih*0.15:red:fill'),),
  'inset': _BLUE_FRAME,
  'banner': (('drawbox', '0:ih*0.8:iw:ih*0.2:white:fill'),),
  'crop, mirror': (('crop', 'iw*0.75:ih*0.75'), ('hflip', '')),
  'halved, crf 34': (('scale', 'iw/2:ih/2'),),
}
_CRF = {'crf 38': 38, 'halved, crf 34': 34}
_INTRO_SECONDS = 10
# The 14 of the first measurement, and those beyond.
KINDS = (
  'plain', 'crf 38', 'halved', 'crop 10 %', 'crop 25 %', 'letterbox', 'mirror',
  'grey', 'brighter', '1.25 x', '3 degrees', 'logo', 'inset', 'middle',
)  # fmt: skip
WITH_ANOTHER = ('screen in screen', 'intro')
HARDER = (*WITH_ANOTHER, 'banner', '2 x', 'crop, mirror', 'halved, crf 34')


def make(
  kind: str, video: pathlib.Path, other: pathlib.Path, out: pathlib.Path
) -> None:
  """Writes a copy.

  Args:
    kind: of KINDS or HARDER.
    video: what is copied.
    other: another video: around it on a screen, or before it as its intro.
    out: the file.

  Raises:
    UserError: PyAV is not installed.
  """
  frames, rate = read(video), rate_of(video)
  if kind in _FILTERS:
    frames = _filtered(frames, _FILTERS[kind])
  elif kind in _SELECTED:
    frames = _SELECTED[kind](list(frames))
  elif kind == 'intro':
    before = itertools.cycle(read(other))
    count = round(_INTRO_SECONDS * rate)
    frames = itertools.chain(itertools.islice(before, count), frames)
  else:
    inset = _filtered(frames, (('scale', 'iw/2:ih/2'),))
    frames = map(_pasted, inset, itertools.cycle(read(other)))
  write(frames, rate, out, crf=_CRF.get(kind, 23))


_SELECTED: Mapping[str, Callable[[list[Any]], list[Any]]] = {
  '1.25 x': lambda x: [y for i, y in enumerate(x) if i % 5 != 4],
  '2 x': lambda x: x[::2],
  'middle': lambda x: x[len(x) // 4 : len(x) - len(x) // 4],
}


def seconds(kind: str, whole: float) -> float:
  """How long a copy of a video of `whole` seconds lasts."""
  share = {'1.25 x': 0.8, '2 x': 0.5, 'middle': 0.5}.get(kind, 1.0)
  return share * whole + (_INTRO_SECONDS if kind == 'intro' else 0)


def read(path: pathlib.Path) -> Iterator[Any]:
  with _av().open(str(path)) as file:
    yield from file.decode(video=0)


def rate_of(path: pathlib.Path) -> Fraction:
  with _av().open(str(path)) as file:
    return file.streams.video[0].average_rate


def _filtered(
  frames: Iterator[Any], chain: tuple[tuple[str, str], ...]
) -> Iterator[Any]:
  """Frames through a chain of filters."""
  graph = None
  for frame in frames:
    if graph is None:
      graph = _graph(frame, chain)
    frame.pts = None
    graph.push(frame)
    yield graph.pull()


def _graph(frame: Any, chain: tuple[tuple[str, str], ...]) -> Any:
  graph = _av().filter.Graph()
  source = graph.add_buffer(
    width=frame.width, height=frame.height, format=frame.format.name,
    time_base=Fraction(1, 25),
  )  # fmt: skip
  nodes = [graph.add(name, arguments) for name, arguments in chain]
  graph.link_nodes(source, *nodes, graph.add('buffersink')).configure()
  return graph


def _pasted(inset: Any, frame: Any) -> Any:
  """A frame in the middle of another, on a screen of that one's."""
  outer, inner = (x.to_ndarray(format='rgb24') for x in (frame, inset))
  top, left = ((np.array(outer.shape) - inner.shape)[:2] // 2).clip(0)
  place = outer[top:, left:][: inner.shape[0], : inner.shape[1]]
  place[:] = inner[: place.shape[0], : place.shape[1]]
  return _av().VideoFrame.from_ndarray(outer, format='rgb24')


def originals(data: pathlib.Path) -> list[pathlib.Path]:
  """The raw videos below `data`; UserError if there are none."""
  videos = sorted((data / 'ucf101_10_videos').rglob('*.avi'))
  if not videos:
    raise errors.UserError(f'--data={data}: has no ucf101_10_videos.')
  return videos


def write(
  frames: Iterator[Any], rate: Fraction, out: pathlib.Path, crf: int
) -> None:
  """Writes frames of PyAV as H.264 in mp4, making the folder if need be."""
  out.parent.mkdir(parents=True, exist_ok=True)
  with _av().open(str(out), 'w') as file:
    stream = file.add_stream('libx264', rate=rate)
    stream.pix_fmt = 'yuv420p'
    stream.options = {**_FAST, 'crf': str(crf)}
    for number, frame in enumerate(frames):
      if not number:  # 4:2:0 wants even sizes
        stream.width, stream.height = (
          x // 2 * 2 for x in (frame.width, frame.height)
        )
      frame = frame.reformat(stream.width, stream.height, 'yuv420p')
      frame.pts, frame.time_base = number, 1 / rate
      file.mux(stream.encode(frame))
    file.mux(stream.encode())


def _av() -> Any:
  from nph_jax.extraction import video_file

  av = video_file.import_av()
  importlib.import_module('av.filter')
  return av
