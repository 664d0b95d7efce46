"""Seeking gives the very frames of decoding everything, or is not done."""

import fractions

import clips
import numpy as np
import pytest

from nph_jax.extraction import decoding, seeking, video_file

av = pytest.importorskip('av')
NUM_FRAMES = 6
RNG = np.random.default_rng(0)
NOISE = np.kron(RNG.integers(0, 255, (6, 8, 3)), np.ones((8, 8, 1)))


def write(path, codec='libx264', num_frames=240, pts=None, **options):
  """A moving picture at 10 frames a second, or at the tenths `pts`."""
  pictures = [np.roll(NOISE, n, 1).astype(np.uint8) for n in range(num_frames)]
  try:
    return clips.encode(
      path, pictures, codec, pts=pts, options=options, thread_count=1,
      time_base=fractions.Fraction(1, 10),
    )  # fmt: skip
  except av.error.EncoderNotFoundError:
    pytest.skip(f'this build of libav has no {codec}')


def both(path):
  """(by seeking, by decoding everything)."""
  video = video_file.VideoFile(path, video_file.Limits(None, None, 1 << 20))
  return [
    how(video, NUM_FRAMES, lambda pixels: pixels)
    for how in (decoding._sought, decoding._whole)
  ]


def check_equal(sought, whole):
  np.testing.assert_array_equal(sought.frames, whole.frames)
  np.testing.assert_array_equal(sought.times, whole.times)
  assert (sought.duration, sought.share) == (whole.duration, 1)
  assert len({frame.tobytes() for frame in sought.frames}) == NUM_FRAMES


X264 = {'g': '12', 'preset': 'veryfast', 'x264-params': 'scenecut=0'}
UNEVEN = np.cumsum(RNG.integers(1, 9, 240)).tolist()
CASES = {
  'closed.mp4': X264,
  'closed.mkv': X264,
  'closed.mov': X264,
  'b_frames.mp4': X264 | {'bf': '3', 'preset': 'slow'},
  'b_frames.mkv': X264 | {'bf': '3', 'preset': 'slow'},
  'open.mp4': X264
  | {'bf': '3', 'x264-params': 'open-gop=1:scenecut=0', 'preset': 'slow'},
  'open.mkv': X264
  | {'bf': '3', 'x264-params': 'open-gop=1:scenecut=0', 'preset': 'slow'},
  'uneven.mp4': X264 | {'bf': '2', 'pts': UNEVEN},
  'uneven.mkv': X264 | {'bf': '2', 'pts': UNEVEN},
  'late.mp4': X264 | {'bf': '2', 'pts': range(70, 310)},
  'late.mkv': X264 | {'bf': '2', 'pts': range(70, 310)},
  # An edit list cuts the first frames off.
  'cut.mp4': X264 | {'bf': '2', 'pts': range(-17, 223)},
  'hevc.mp4': {'codec': 'libx265', 'g': '12', 'x265-params': 'log-level=0'},
  'vp9.webm': {'codec': 'libvpx-vp9', 'g': '12', 'deadline': 'realtime'},
  'mpeg4.mp4': {'codec': 'mpeg4', 'g': '12', 'bf': '2'},
}


@pytest.mark.parametrize('name', CASES)
def test_the_very_frames(tmp_path, name):
  check_equal(*both(write(tmp_path / name, **CASES[name])))


@pytest.mark.parametrize(
  'name, options',
  [
    ('one_gop.mp4', {'g': '999'}),
    ('short_gops.ts', X264),
    ('short_gops.avi', {'codec': 'mpeg4', 'g': '12'}),
    ('vp8.webm', {'codec': 'libvpx', 'g': '12'}),
    ('few.mp4', X264 | {'num_frames': 20}),
  ],
)
def test_where_it_gains_nothing_or_is_not_safe_all_is_decoded(
  tmp_path, name, options
):
  path = write(tmp_path / name, **options)
  with pytest.raises(seeking.NotSeekableError):
    both(path)
  assert len(decoding.sample_frames(path, NUM_FRAMES).frames) == NUM_FRAMES


def test_pictures_that_refresh_bit_by_bit(tmp_path):
  """Decoding begins at their key frames, but not with a whole picture."""
  path = write(
    tmp_path / 'a.mp4',
    **X264 | {'x264-params': 'intra-refresh=1:scenecut=0'},
  )
  found = decoding.sample_frames(path, NUM_FRAMES)
  whole = decoding._whole(
    video_file.VideoFile(path, video_file.Limits(None, None, 1 << 20)),
    NUM_FRAMES,
    lambda pixels: pixels,
  )
  check_equal(found, whole)


def test_what_the_packets_said_is_checked(tmp_path, monkeypatch):
  """A frame that is not where it was said to be: everything is decoded."""
  path = write(tmp_path / 'a.mp4', **X264)
  expected = decoding.sample_frames(path, NUM_FRAMES)
  honest = seeking.read_timeline

  def lying(*arguments):
    found = honest(*arguments)
    return seeking.Timeline(found.shown[:16] + found.shown[17:], found.keys)

  monkeypatch.setattr(seeking, 'read_timeline', lying)
  monkeypatch.setattr(seeking, 'GAIN', 0)
  check_equal(decoding.sample_frames(path, NUM_FRAMES), expected)


def test_few_frames_are_decoded(tmp_path, monkeypatch):
  path = write(tmp_path / 'a.mp4', num_frames=600, **X264)
  numbers = []
  honest = seeking._from_key

  def counting(*arguments):
    for number, frame in honest(*arguments):
      numbers.append(number)
      yield number, frame

  monkeypatch.setattr(seeking, '_from_key', counting)
  decoding.sample_frames(path, NUM_FRAMES)
  assert 0 < len(numbers) <= NUM_FRAMES * 12
