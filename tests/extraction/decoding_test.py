"""Sampling from clips whose frames carry their number as brightness."""

import io
import re

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.extraction import decoding

av = pytest.importorskip('av')
BRIGHTER = 8  # as extraction_clips makes them
SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.webm')


def numbers(sampled):
  return [round(frame.mean() / BRIGHTER) for frame in sampled.frames]


def brute_force(num_present, num_frames):
  """The frame that the centre of each segment falls in."""
  length = num_present / num_frames
  return [int((i + 0.5) * length + 1e-9) for i in range(num_frames)]


@pytest.mark.parametrize('num_present', [1, 2, 7, 25, 26, 130])
@pytest.mark.parametrize('num_frames', [1, 5, 25])
def test_centres_of_equal_segments(num_present, num_frames):
  found = decoding.segment_centres(num_present, num_frames).tolist()
  assert found == brute_force(num_present, num_frames)


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_every_container(clip, tmp_path, suffix):
  sampled = decoding.sample_frames(clip(tmp_path / f'a{suffix}', 12), 4)
  assert numbers(sampled) == [1, 4, 7, 10]
  np.testing.assert_allclose(sampled.times, [0.1, 0.4, 0.7, 1.0], atol=2e-3)
  assert sampled.duration == pytest.approx(1.2, abs=2e-3)
  assert all(
    frame.shape == (48, 64, 3) and frame.dtype == np.uint8
    for frame in sampled.frames
  )


def test_short_videos_repeat_frames(clip, tmp_path):
  sampled = decoding.sample_frames(clip(tmp_path / 'short.mp4', 3), 7)
  assert numbers(sampled) == brute_force(3, 7) == [0, 0, 1, 1, 1, 2, 2]
  assert sampled.frames[0] is sampled.frames[1]


def test_variable_frame_rate(clip, tmp_path):
  pts = [0, 1, 2, 3, 20, 21, 50, 90]
  path = clip(tmp_path / 'vfr.mkv', len(pts), pts=pts)
  sampled = decoding.sample_frames(path, 4)
  assert numbers(sampled) == [1, 3, 5, 7]
  np.testing.assert_allclose(sampled.times, [0.1, 0.3, 2.1, 9.0], atol=2e-3)
  assert sampled.duration == pytest.approx(13.0, abs=2e-3)


@pytest.mark.parametrize('claimed', [1, 5, 4000])
def test_a_header_with_a_wrong_count_changes_nothing(clip, tmp_path, claimed):
  path = clip(tmp_path / 'a.avi', 12)
  expected = decoding.sample_frames(path, 4)
  content = bytearray(path.read_bytes())
  place = content.index(b'vids') - 8 + 40  # dwLength of the stream header
  assert int.from_bytes(content[place : place + 4], 'little') == 12
  content[place : place + 4] = claimed.to_bytes(4, 'little')
  path.write_bytes(content)
  with av.open(str(path)) as file:
    assert file.streams.video[0].frames == claimed
  sampled = decoding.sample_frames(path, 4)
  np.testing.assert_array_equal(sampled.frames, expected.frames)
  np.testing.assert_array_equal(sampled.times, expected.times)


def test_reads_open_files(clip, tmp_path):
  content = io.BytesIO(clip(tmp_path / 'a.webm', 12).read_bytes())
  assert numbers(decoding.sample_frames(content, 4)) == [1, 4, 7, 10]
  with pytest.raises(errors.UserError, match='^the video: no video'):
    decoding.sample_frames(io.BytesIO(b'nothing'), 4)


@pytest.mark.parametrize(
  'limits, message',
  [
    ({'max_duration': 1.1}, 'more than 1.1 seconds'),
    ({'max_frames': 11}, 'more than 11 frames'),
    ({'max_pixels': 48 * 64 - 1}, 'more than 3071 pixels'),
  ],
)
@pytest.mark.parametrize('suffix', ['.mp4', '.webm'])
def test_limits(clip, tmp_path, suffix, limits, message):
  path = clip(tmp_path / f'a{suffix}', 12)
  with pytest.raises(errors.UserError, match=f'^{re.escape(str(path))}: '):
    decoding.sample_frames(path, 4, **limits)
  with pytest.raises(errors.UserError, match=message):
    decoding.sample_frames(path, 4, **limits)
  roomy = {name: 10 * value for name, value in limits.items()}
  assert len(decoding.sample_frames(path, 4, **roomy).frames) == 4


def test_limits_hold_where_the_header_says_less(clip, tmp_path):
  path = clip(tmp_path / 'a.avi', 12)
  content = bytearray(path.read_bytes())
  place = content.index(b'vids') - 8 + 40
  content[place : place + 4] = (2).to_bytes(4, 'little')
  path.write_bytes(content)
  with pytest.raises(errors.UserError, match='more than 5 frames'):
    decoding.sample_frames(path, 4, max_frames=5)
  with pytest.raises(errors.UserError, match='more than 0.5 seconds'):
    decoding.sample_frames(path, 4, max_duration=0.5)


def test_a_playlist_opens_nothing(clip, tmp_path):
  clip(tmp_path / 'a.mp4', 12)
  playlist = tmp_path / 'list.mp4'
  for text in (
    '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\na.mp4\n#EXT-X-ENDLIST\n',
    "ffconcat version 1.0\nfile 'a.mp4'\n",
  ):
    playlist.write_text(text)
    with pytest.raises(errors.UserError, match='no video that can be decoded'):
      decoding.sample_frames(playlist, 4)


def test_names_are_never_addresses(clip, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  clip(tmp_path / 'a.mp4', 12).rename('http:a.mp4')
  assert numbers(decoding.sample_frames('http:a.mp4', 4)) == [1, 4, 7, 10]


def test_a_title_in_another_encoding(clip, tmp_path):
  path = clip(tmp_path / 'a.avi', 12)
  content = path.read_bytes()
  title = b'INAM' + (4).to_bytes(4, 'little') + b'\xe9t\xe9\0'
  info = b'LIST' + (4 + len(title)).to_bytes(4, 'little') + b'INFO' + title
  place = content.index(b'LIST', content.index(b'hdrl'))
  path.write_bytes(content[:place] + info + content[place:])
  assert numbers(decoding.sample_frames(path, 4)) == [1, 4, 7, 10]


def test_sound_alone_is_no_video(tmp_path):
  path = tmp_path / 'sound.mp4'
  with av.open(str(path), 'w') as file:
    stream = file.add_stream('aac', rate=8000)
    frame = av.AudioFrame.from_ndarray(
      np.zeros((1, 1024), np.float32), format='fltp', layout='mono'
    )
    frame.rate = 8000
    file.mux(stream.encode(frame))
    file.mux(stream.encode())
  with pytest.raises(errors.UserError, match='holds no video stream'):
    decoding.sample_frames(path, 4)


@pytest.mark.parametrize('content', [None, b'', b'text\n' * 99, bytes(5000)])
def test_no_video(tmp_path, content):
  path = tmp_path / 'a.mp4'
  if content is not None:
    path.write_bytes(content)
  with pytest.raises(errors.UserError, match=f'^{re.escape(str(path))}: '):
    decoding.sample_frames(path, 4)
