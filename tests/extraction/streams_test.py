"""Frames of a long video: which they are, and that few are held at a time."""

import weakref

import numpy as np
import pytest

from nph_jax.extraction import decoding, streams, tasks, workers

BRIGHTER = 8  # as extraction_clips makes them
BACKBONE = 'efficientnet_lite0'  # of which only the crops are made


def streamed(path, num_frames, spacing, **options):
  """The stream's frames, and what it returned."""
  frames, left = [], decoding.stream_frames(
    str(path), num_frames, spacing, **options
  )  # fmt: skip
  while True:
    try:
      frames.append(next(left))
    except StopIteration as stop:
      return frames, stop.value


def shown(pts, spacing, end):
  """Numbers of the frames shown at (i + 1/2) spacing, by loops."""
  wanted, time = [], spacing / 2
  while time < end:
    wanted.append(max(i for i, x in enumerate(pts) if x / 10 <= time))
    time = (len(wanted) + 0.5) * spacing
  return wanted or [len(pts) - 1]


@pytest.mark.parametrize('suffix', ['.mp4', '.avi', '.webm', '.mkv'])
@pytest.mark.parametrize('spacing', [0.07, 0.34, 1.0, 9.0])
def test_the_frame_in_the_middle_of_every_segment(
  clip, tmp_path, suffix, spacing
):
  path = clip(tmp_path / f'a{suffix}', 22)
  frames, sampled = streamed(path, 4, spacing)
  found = [round(frame.mean() / BRIGHTER) for frame in frames]
  assert found == shown(range(22), spacing, 2.2)
  alone = decoding.sample_frames(path, 4)
  np.testing.assert_array_equal(sampled.frames, alone.frames)
  np.testing.assert_array_equal(sampled.times, alone.times)
  assert sampled.duration == alone.duration


def test_segments_are_of_time_and_not_of_frames(clip, tmp_path):
  pts = [0, 1, 2, 3, 20, 21, 50, 90]
  path = clip(tmp_path / 'uneven.mkv', len(pts), pts=pts)
  frames, _ = streamed(path, 4, 0.8)
  found = [round(frame.mean() / BRIGHTER) for frame in frames]
  assert found == shown(pts, 0.8, 13.0) and len(found) == 16


def test_a_header_with_a_wrong_count_doubles_no_frame(clip, tmp_path):
  path = clip(tmp_path / 'a.avi', 12)
  content = bytearray(path.read_bytes())
  place = content.index(b'vids') - 8 + 40  # dwLength of the stream header
  content[place : place + 4] = (5).to_bytes(4, 'little')
  path.write_bytes(content)
  frames, sampled = streamed(path, 4, 0.3)
  assert len(frames) == 4 and len(sampled.frames) == 4


class Picture:
  """What stands for a frame, to be counted."""


def test_no_more_frames_are_held_than_are_returned(clip, tmp_path):
  path, alive, most = clip(tmp_path / 'a.avi', 200), weakref.WeakSet(), 0

  def prepare(_):
    alive.add(made := Picture())
    return made

  left = decoding.stream_frames(str(path), 3, 0.1, prepare=prepare)
  count = 0
  for _ in left:
    count, most = count + 1, max(most, len(alive))
  assert count == 200
  assert most <= 3 + 2  # the one that is shown, and the one that came before


def test_a_stream_comes_in_chunks(clip, tmp_path, monkeypatch):
  monkeypatch.setattr(tasks, 'CHUNK', 4)
  path = str(clip(tmp_path / 'a.mp4', 20))
  task = tasks.Task(path, BACKBONE, 3, 0.2)
  *chunks, whole = tasks.stream(task)
  assert [len(chunk) for chunk in chunks] == [4, 4, 2]
  alone = tasks.decode(task)
  np.testing.assert_array_equal(whole.batch, alone.batch)
  assert whole.facts == alone.facts


def test_many_videos_are_streamed_at_once_and_come_in_order(clip, tmp_path):
  pytest.importorskip('pebble')
  lengths = (60, 3, 12, 7)
  paths = [
    str(clip(tmp_path / f'{number}.mp4', count))
    for number, count in enumerate(lengths)
  ]
  (tmp_path / '1.mp4').write_bytes(b'no video')
  sizes = []

  def features(batch):
    sizes.append(len(batch))
    return batch.reshape(len(batch), -1)[:, :1].astype(np.float32)

  found = list(
    streams.ordered(
      [tasks.Task(path, BACKBONE, 3, 0.1) for path in paths], features,
      num_workers=2, ahead=3, time_limit=300,
    )
  )  # fmt: skip
  assert isinstance(found[1], workers.Failure) and paths[1] in found[1].reason
  for number in (0, 2, 3):
    rows = found[number].stream
    assert rows.shape == (lengths[number], 1) and rows.dtype == np.float16
    alone = [*tasks.stream(tasks.Task(paths[number], BACKBONE, 3, 0.1))][:-1]
    np.testing.assert_array_equal(rows[:, 0], np.concatenate(alone)[:, 0, 0, 0])
  assert sorted(sizes) == [7, 10, 12, 50] and max(sizes) <= tasks.CHUNK
