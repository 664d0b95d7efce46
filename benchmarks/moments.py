"""How well a clip is found within long videos, and what an hour costs.

  python -m benchmarks.moments [--data=../shared/data] [--work=FOLDER]

Each seed, of 2, puts the 18 raw videos of ucf101_10_videos, and five times as
many of moving digits, in random order into three long videos, 25 frames a
second, H.264 at crf 28. Every clip is looked for, whole and its middle half, in
the three and in 1,814 other videos whose features are stored, but for those of
its own scene. It is found if the first result is its long video at a time when
it is shown.

Codes of segments that hold m frames, half overlapping or from one change of
shot to the next, by t . b, are compared with those of single frames, as
nph_jax.index.segments has it, at equal times or where library.shots
cuts. Prints tables for README.md; videos and features stay in FOLDER,
runs/moments by default.
"""

from __future__ import annotations

import json
import os
import pathlib
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from benchmarks import copies, duplicates
from nph_jax import atomic, errors
from nph_jax.data import moving_digits
from nph_jax.duplicates import signatures
from nph_jax.extraction import decoding, files, video_file
from nph_jax.index import Hit, segments
from nph_jax.index.records import Segments
from nph_jax.library import closed_form, codes, extraction, moments, shots

_RATE, _SIZE = 25, (320, 240)
_PARTS, _DIGITS = 3, 30  # long videos of a seed; videos of digits in each
_LASTING = 60, 150  # frames of those
_FINE = shots.SPACING  # between the frames that all ways are made of
_HALF = slice(6, 18)  # of a clip's 25 frames
_OTHERS_LAST = 7.0  # seconds, about
_OWN = "the library's own, 128 bits"
_CUT = 4.0  # times the median step between frames is a change of shot
# Seconds of a segment, None from shot to shot, or shots.AUTO, its frames, and
# whether features of frames are compared. The last few are tried with the
# library's own alone.
_WAYS = (
  ('10 s, 5 frames', 10, 5, False), ('10 s, 9 frames', 10, 9, False),
  ('10 s, 25 frames', 10, 25, False), ('by shots, 5 frames', None, 5, False),
  ('a frame each 2 s', 2, 1, False), ('those, 20 looked at again', 2, 1, True),
  ('auto', shots.AUTO, 1, False),
  ('those, 20 looked at again', shots.AUTO, 1, True),
  ('a frame each 1 s: 2 s, half over each other', 1, 1, False),
  ('those, 20 looked at again', 1, 1, True),
  ('by shots, 25 frames', None, 25, False), ('4 s, 5 frames', 4, 5, False),
)  # fmt: skip
_ALL_CODES = 8
Shown = list[tuple[int, float, float]]  # clip, from, to, seconds


class Video(NamedTuple):
  """Frames [n, L], `spacing` seconds apart, and seconds."""

  frames: np.ndarray
  spacing: float
  duration: float


def main(argv: Sequence[str] | None = None) -> None:
  """Measures and prints.

  Raises:
    UserError: the videos are not there, or PyAV is missing.
  """
  parser = errors.Parser(prog='python -m benchmarks.moments')
  flag = parser.add_argument
  flag('--data', type=pathlib.Path, default=pathlib.Path('../shared/data'))
  flag('--work', type=pathlib.Path, default=pathlib.Path('runs/moments'))
  flag('--seeds', type=int, default=2)
  flags = parser.parse_args(argv)
  clips = copies.originals(flags.data)
  made = [_long(clips, flags.work, seed) for seed in range(flags.seeds)]
  paths = [path for shown in made for path in shown]
  found = _features(paths, _FINE, flags.work / 'features')
  _tables(flags.data, clips, made, found)
  _hour(paths[0], flags.work)


def _long(
  clips: Sequence[pathlib.Path], work: pathlib.Path, seed: int
) -> dict[pathlib.Path, Shown]:
  """The long videos of a seed, and which clip each shows when."""
  rng, known = np.random.default_rng(seed), work / f'{seed}.json'
  order, made = rng.permutation(len(clips)), {}
  for part in range(_PARTS):
    digits = _DIGITS * (_PARTS * seed + part) + np.arange(_DIGITS)
    items = [*(order[part::_PARTS]), *(-1 - digits)]
    items = [int(items[x]) for x in rng.permutation(len(items))]
    path, shown = work / f'{seed}-{part}.mp4', []
    made[path] = shown
    if not known.exists():
      frames = _joined(clips, items, shown)
      copies.write(frames, Fraction(_RATE), path, crf=28)
  if known.exists():
    return dict(zip(made, json.loads(known.read_text()), strict=True))
  atomic.write_json(known, list(made.values()))
  return made


def _joined(
  clips: Sequence[pathlib.Path], items: Sequence[int], shown: Shown
) -> Iterator[Any]:
  """Frames of clips, and of digits where numbers are below 0."""
  count = 0
  for item in items:
    start = count
    for frame in _clip(clips[item]) if item >= 0 else _digits(-1 - item):
      yield frame.reformat(*_SIZE, 'yuv420p')
      count += 1
    if item >= 0:
      shown.append((item, start / _RATE, count / _RATE))


def _clip(path: pathlib.Path) -> list[Any]:
  frames, rate = list(copies.read(path)), copies.rate_of(path)
  times = range(int(len(frames) * _RATE / rate))
  return [frames[int(x * rate / _RATE)] for x in times]


def _digits(number: int) -> Iterator[Any]:
  av, lasting = video_file.import_av(), _LASTING[number % 2]
  (video,), _ = moving_digits.make_videos(
    'database', number, number + 1, seed=0, num_frames=lasting
  )
  for pixels in video.astype(np.float32) * (255 / moving_digits.PEAK):
    picture = pixels.clip(0, 255).astype(np.uint8).reshape(9, 9)
    yield av.VideoFrame.from_ndarray(
      picture.repeat(26, 0).repeat(34, 1), 'gray'
    )


def _features(
  paths: Sequence[pathlib.Path], seconds: float, kept: pathlib.Path | None
) -> dict[pathlib.Path, Video]:
  """Of the frames in the middle of every so many seconds."""
  found: dict[pathlib.Path, Video] = {}

  def done(
    video: files.Video, record: Mapping[str, Any], _: Any, rows: np.ndarray
  ) -> None:
    path, duration = pathlib.Path(video.path), record['duration']
    found[path] = Video(rows, seconds, duration)
    if kept is not None:
      kept.mkdir(exist_ok=True)
      np.savez(kept / path.stem, rows=rows, duration=duration)

  new = []
  for path in map(pathlib.Path.resolve, paths):
    if kept is not None and (kept / f'{path.stem}.npz').exists():
      with np.load(kept / f'{path.stem}.npz') as saved:
        found[path] = Video(saved['rows'], seconds, float(saved['duration']))
    else:
      new.append(files.Video(str(path), (0, 0)))
  if new:
    chosen = extraction.settings(None, None, None) | {'segments': seconds}
    decode = extraction.Decoding(os.cpu_count() or 1, 3600)
    extraction.run(new, chosen, decode, done)
  return {path: found[path.resolve()] for path in paths}


Encode = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
Place = tuple[Any, float]  # video, and when the clip begins there
Find = Callable[[np.ndarray, float, Mapping[Any, Video]], Place]


def _tables(
  data: pathlib.Path,
  clips: Sequence[pathlib.Path],
  made: Sequence[Mapping[pathlib.Path, Shown]],
  found: Mapping[pathlib.Path, Video],
) -> None:
  frames, names, scenes, _ = duplicates._stored(data)
  rows = np.array([names.index(clip.stem) for clip in clips])
  print(
    '| code | segments | whole clip | middle half |\n| --- | --- | --- | --- |'
  )
  for code, (method, tables) in _codes(frames).items():
    for way, seconds, count, again in _WAYS[
      : None if code == _OWN else _ALL_CODES
    ]:
      hasher = closed_form.export(method, tables, count, {}).load()
      score = _Scores(hasher.encode_relaxed, seconds, count, again)
      cells = [
        _score(score, part, frames, rows, scenes, made, found)
        for part in (slice(None), _HALF)
      ]
      print(f'| {code} | {way} | {cells[0]} | {cells[1]} |', flush=True)


def _codes(frames: np.ndarray) -> dict[str, tuple[str, Mapping[str, Any]]]:
  """Method and tables by name; all but the starter's are of the 1,832."""
  with np.load(codes.STARTER) as archive:
    starter = dict(archive)
  method = codes.method_for(len(frames))
  read = lambda: (frames[i : i + 64] for i in range(0, len(frames), 64))  # noqa: E731
  own = closed_form.fit(method, codes.NUM_BITS, read, frames.shape)
  same = signatures.learn(lambda x: frames[x], frames.shape)
  return {
    "the starter's, 128 bits": ('itq_moments', starter),
    _OWN: (method, own),
    "duplicates', 512 bits": ('itq_moments', same),
  }


class _Scores:
  """Finds clips by codes of segments of `count` frames.

  Those of one frame are laid side by side, others half over each other, or
  where `seconds` is None, from one change of shot to the next.
  """

  def __init__(
    self, encode: Encode, seconds: float | str | None, count: int, again: bool
  ):
    self._encode, self._seconds, self._count = encode, seconds, count
    self._again = again
    self._known: dict[Any, Any] = {}

  def __call__(
    self, clip: np.ndarray, duration: float, videos: Mapping[Any, Video]
  ) -> Place:
    for key in videos.keys() - self._known.keys():
      self._known[key] = self._coded(videos[key])
    known = {key: self._known[key] for key in videos}
    if self._count == 1:
      return self._laid(clip, duration, known, videos)
    _, (t,) = self._encode(clip[_centres(len(clip), self._count)][None])
    scores = {
      key: (np.unpackbits(packed, axis=1) * 2.0 - 1) @ t
      for key, (_, packed) in known.items()
    }
    key = max(scores, key=lambda x: scores[x].max())
    middle = known[key][0][int(np.argmax(scores[key]))]
    return key, middle - duration / 2

  def _coded(self, video: Video) -> Any:
    """Segments of one frame; else their middles and codes."""
    if self._count == 1:
      parts = self._parts(video)
      packed, _ = self._encode(parts.frames[:, None])
      codes = packed.repeat(parts.lengths, axis=0)
      return Segments(parts.seconds, video.duration, codes)
    if self._seconds is None:
      starts, ends = _shots(video.frames)
    else:
      step = self._seconds / video.spacing
      count = max(int(np.ceil(2 * len(video.frames) / step)) - 1, 1)
      starts = np.arange(count) * step / 2
      ends = starts + step
    parts = [video.frames[round(x) : round(y)] for x, y in zip(starts, ends)]
    packed, _ = self._encode(
      np.stack([part[_centres(len(part), self._count)] for part in parts])
    )
    return (starts + ends) / 2 * video.spacing, packed

  def _laid(
    self,
    clip: np.ndarray,
    duration: float,
    known: dict[Any, Segments],
    videos: Mapping[Any, Video],
  ) -> Place:
    _, t = self._encode(clip[:, None])
    times = (np.arange(len(clip)) + 0.5) * duration / len(clip)
    looked_for = segments.Clip(t, times, duration, t[0])
    keys = list(known)
    numbered = dict(enumerate(known.values()))
    found = segments.find(numbered, looked_for, moments.CHECKED)
    hits = [
      Hit(x.id, x.distance, {'duration': numbered[x.id].duration}, x.score,
          x.start, x.end)
      for x in found
    ]  # fmt: skip
    if self._again:
      parts = {x.id: self._parts(videos[keys[x.id]]) for x in found}
      hits = moments.checked(hits, parts, clip, looked_for)
    return keys[hits[0].id], hits[0].start

  def _parts(self, video: Video) -> shots.Parts:
    """Segments of one frame, that in their middle."""
    if self._seconds == shots.AUTO:
      parts = shots.cut(shots.AUTO, video.frames)
      return parts._replace(seconds=video.spacing)
    step = self._seconds / video.spacing
    count = max(round(len(video.frames) / step), 1)
    rows = ((np.arange(count) + 0.5) * step).astype(int)
    frames = video.frames[rows.clip(max=len(video.frames) - 1)]
    return shots.equal(self._seconds, frames)


def _shots(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """First frames of shots, and the first frames after them."""
  rows = frames.astype(np.float32)
  rows /= np.linalg.norm(rows, axis=1, keepdims=True)
  steps = 1 - np.sum(rows[1:] * rows[:-1], axis=1)
  cuts = np.flatnonzero(steps > _CUT * np.median(steps)) + 1
  return np.array([0, *cuts]), np.array([*cuts, len(rows)])


def _centres(present: int, wanted: int) -> np.ndarray:
  return decoding.segment_centres(present, wanted)


def _score(
  find: Find,
  part: slice,
  frames: np.ndarray,
  rows: np.ndarray,
  scenes: np.ndarray,
  made: Sequence[Mapping[pathlib.Path, Shown]],
  found: Mapping[pathlib.Path, Video],
) -> str:
  """Recall at 1, and of those that are found the error of the start."""
  errors_of, count = [], 0
  spacing = _OTHERS_LAST / frames.shape[1]
  for shown in made:
    long = {path: found[path] for path in shown}  # others have numbers
    for path in shown:
      for clip, start, end in shown[path]:
        others = np.flatnonzero(scenes != scenes[rows[clip]]).tolist()
        videos = long | {
          x: Video(frames[x], spacing, _OTHERS_LAST)
          for x in others
          if x not in rows
        }
        whole = (end - start) / frames.shape[1]
        low, high, _ = part.indices(frames.shape[1])
        key, begin = find(
          frames[rows[clip]][part], (high - low) * whole, videos
        )
        start, end = start + low * whole, start + high * whole
        count += 1
        if key == path and start - (end - start) < begin < end:
          errors_of.append(abs(begin - start))
  recall = len(errors_of) / count
  if not errors_of:
    return f'{recall:.2f}'
  return f'{recall:.2f}, {np.mean(errors_of):.2f} s'


def _hour(video: pathlib.Path, work: pathlib.Path) -> None:
  """Says what an hour takes: the video again and again, its packets copied."""
  hour = work / 'hour.mp4'
  if not hour.exists():
    with atomic.replacing(hour) as temporary:
      _repeat(video, temporary, 3600)
  for seconds in (2.0, shots.SPACING):
    before = _processor_seconds()
    (found,) = _features([hour], seconds, None).values()
    took = _processor_seconds() - before
    print(
      f'{found.duration:.0f} s of video, a frame each {seconds} s: '
      f'{len(found.frames):,}, {took:.0f} s of a processor; '
      f'{len(shots.cut(shots.AUTO, found.frames).frames):,} by auto'
    )


def _repeat(video: pathlib.Path, out: pathlib.Path, seconds: int) -> None:
  av, shift = video_file.import_av(), 0
  with av.open(str(out), 'w', format='mp4') as file:
    stream = None
    while stream is None or shift * stream.time_base < seconds:
      with av.open(str(video)) as source:
        (own,) = source.streams.video
        if stream is None:
          stream = file.add_stream_from_template(own)
          stream.time_base = own.time_base
        for packet in source.demux(own):
          if packet.dts is not None:
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = stream
            file.mux(packet)
        shift += own.duration


def _processor_seconds() -> float:
  return sum(
    used.ru_utime + used.ru_stime
    for used in map(
      resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
  )


if __name__ == '__main__':
  errors.run_main(main)
