"""A few frames of a long file without decoding what lies between them.

The packets' time stamps say which frame is which, and where decoding can begin.
They are believed only as far as the frames that are decoded bear them out.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

# With an index of key frames; others look for one by its place in the file.
_FORMATS = ('mov', 'matroska')
# Its packets are not one to a frame.
_CODECS_LEFT_OUT = ('vp8', 'libvpx')
# Frames that a decoder is given before it lets go of one.
_DELAY = 8
# A seek has to save so many times the frames: it costs some itself.
GAIN = 1.5


class NotSeekableError(Exception):
  """The file has to be decoded from its beginning."""


@dataclasses.dataclass(frozen=True)
class Timeline:
  """Time stamps, in units of the stream's time base.

  Attributes:
    shown: of all frames, ascending.
    keys: of those that decoding can begin at, ascending.
  """

  shown: list[int]
  keys: list[int]

  def key_of(self, number: int) -> int:
    """The time stamp to begin at for frame `number`.

    Raises:
      NotSeekableError: there is none.
    """
    place = bisect.bisect_right(self.keys, self.shown[number])
    if not place:
      raise NotSeekableError
    return self.keys[place - 1]

  def cost(self, numbers: Sequence[int]) -> int:
    """The frames that have to be decoded to see those, ascending."""
    total = 0
    for key, group in itertools.groupby(numbers, self.key_of):
      first = bisect.bisect_left(self.shown, key)
      total += max(group) - first + 1 + _DELAY
    return total


def read_timeline(container: Any, stream: Any) -> Timeline:
  """Reads all packets and decodes none.

  Raises:
    NotSeekableError: their time stamps are missing or do not tell the frames.
  """
  if not container.format.name.startswith(_FORMATS):
    raise NotSeekableError
  if stream.codec_context.codec.name in _CODECS_LEFT_OUT:
    raise NotSeekableError
  shown, keys = [], []
  for packet in container.demux(stream):
    if not packet.size:
      continue
    if packet.pts is None or packet.is_corrupt:
      raise NotSeekableError
    if packet.is_keyframe:
      keys.append(packet.pts)
    if not packet.is_discard:
      shown.append(packet.pts)
  shown.sort()
  if not shown or any(x == y for x, y in itertools.pairwise(shown)):
    raise NotSeekableError
  return Timeline(shown, sorted(keys))


def frames(
  container: Any, stream: Any, timeline: Timeline, numbers: Sequence[int]
) -> Iterator[tuple[int, Any]]:
  """Yields (number, frame) of the frames `numbers`, ascending.

  Raises:
    NotSeekableError: a frame is not where the packets said.
  """
  for key, group in itertools.groupby(numbers, timeline.key_of):
    wanted = set(group)
    for number, frame in _from_key(container, stream, timeline, key):
      if number in wanted:
        wanted.remove(number)
        yield number, frame
      if not wanted:
        break
    if wanted:
      raise NotSeekableError


def _from_key(
  container: Any, stream: Any, timeline: Timeline, key: int
) -> Iterator[tuple[int, Any]]:
  """Yields all frames from the key frame on, with their numbers."""
  container.seek(key, stream=stream)
  number = None
  for packet in container.demux(stream):
    if number is None:
      if packet.pts is None or packet.pts > key or not packet.is_keyframe:
        raise NotSeekableError
      key = packet.pts
      number = bisect.bisect_left(timeline.shown, key)
    for frame in packet.decode():
      # Frames before the key frame may refer to what was passed over.
      if frame.pts is not None and frame.pts < key:
        continue
      if number == len(timeline.shown) or frame.pts != timeline.shown[number]:
        raise NotSeekableError
      yield number, frame
      number += 1
