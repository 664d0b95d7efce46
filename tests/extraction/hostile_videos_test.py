"""Damaged files: a sentence or frames, never anything else.

Random damage, and by name what larger runs of the same kind found.
"""

import functools
import io
import pathlib
import tempfile

import clips
import extraction_clips
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nph_jax import errors
from nph_jax.extraction import decoding

pytest.importorskip('av')
NUM_FRAMES = 3
SUFFIXES = ('.mp4', '.avi', '.mkv', '.webm')


@functools.cache
def content(suffix):
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / f'a{suffix}'
    return extraction_clips.write_clip(path, 6, size=(32, 48)).read_bytes()


def sample(damaged):
  """True where frames came of it."""
  try:
    sampled = decoding.sample_frames(io.BytesIO(damaged), NUM_FRAMES)
  except errors.UserError as error:
    assert '\n' not in str(error)
    return False
  assert len(sampled.frames) == len(sampled.times) == NUM_FRAMES
  times = [0, *sampled.times, sampled.duration]
  assert np.isfinite(times).all() and (np.diff(times) >= 0).all()
  return True


@st.composite
def damaged(draw):
  """A clip that is cut, overwritten here and there, or has bytes put in."""
  whole = content(draw(st.sampled_from(SUFFIXES)))
  places = st.integers(0, len(whole) - 1)
  kind = draw(st.sampled_from(('cut', 'overwritten', 'longer')))
  if kind == 'cut':
    return whole[: draw(places)]
  if kind == 'longer':
    place, extra = draw(st.integers(0, 1500)), draw(st.binary(max_size=99))
    return whole[:place] + extra + whole[place:]
  changed = bytearray(whole)
  for place, value in draw(st.lists(st.tuples(places, st.integers(0, 255)))):
    changed[place] = value
  return bytes(changed)


@settings(max_examples=240, deadline=None)
@given(damaged())
def test_damaged(content):
  sample(content)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=2000))
def test_noise(noise):
  assert not sample(noise)


@pytest.mark.parametrize(
  'suffix, name, other',
  [
    ('.mkv', b'V_FFV1', b'V_ZZZZ'),
    ('.webm', b'V_VP8', b'V_ZZ8'),
  ],
)
def test_a_codec_nobody_knows(suffix, name, other):
  """PyAV's stream then has no codec context."""
  assert name in content(suffix)
  assert not sample(content(suffix).replace(name, other))


@pytest.mark.parametrize('codec', ['qtrle', 'sgi'])
def test_a_codec_of_long_ago_is_not_tried(tmp_path, codec):
  """libav knows it, and would open whatever decoder a file names."""
  av = pytest.importorskip('av')
  picture = np.zeros((64, 64, 3), np.uint8)
  try:
    path = clips.encode(tmp_path / 'a.mov', [picture], codec, None)
  except (av.error.FFmpegError, ValueError):
    pytest.skip(f'this build of libav writes no {codec} in a .mov')
  assert not sample(path.read_bytes())


@pytest.mark.parametrize('field', [20, 24])
def test_time_that_runs_backwards(field):
  """An .avi whose time scale, or rate, has its sign bit set."""
  damaged = bytearray(content('.avi'))
  damaged[damaged.index(b'vids') + field + 3] |= 0x80
  sample(bytes(damaged))


def test_whole_clips_are_read():
  for suffix in SUFFIXES:
    assert sample(content(suffix))
