"""Converted videos show and sound like what they were made of."""

from __future__ import annotations

import io
import struct

import av
import numpy as np
import pytest
import service_toy as toy
from PIL import Image

from nph_jax import errors
from nph_jax.service import stills, transcoding


def converted(path):
  """The new file, and the shares that were told."""
  made, shares = io.BytesIO(), []
  with open(path, 'rb') as file:
    *parts, (last, _) = transcoding.transcode(file)
  for fields, blobs in parts:
    assert fields['more']
    shares.append(fields['share'])
    for place, content in zip(fields['at'], blobs, strict=True):
      made.seek(place)
      made.write(content)
  assert 'more' not in last
  made.seek(0)
  return made, shares


def pictures(source):
  """RGB of all frames, and their times in seconds."""
  with av.open(source) as container:
    frames = list(container.decode(video=0))
  shown = [frame.to_ndarray(format='rgb24') for frame in frames]
  return np.stack(shown), np.array([float(frame.time) for frame in frames])


def with_sound(path, late=0.25):
  """A clip of three seconds, of which a tone is to be heard from `late` on."""
  video = toy.clip(path.with_suffix('.mkv'), num_frames=36, codec='mpeg4')
  with av.open(str(video)) as source, av.open(str(path), 'w') as target:
    (pictures,) = source.streams.video
    copied = target.add_stream_from_template(pictures)
    sound = target.add_stream('pcm_s16le', rate=8000, layout='mono')
    for packet in source.demux(pictures):
      if packet.dts is not None:
        packet.stream = copied
        target.mux(packet)
    count = int((3 - late) * 8000)
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(count) / 8000)
    frame = av.AudioFrame.from_ndarray(
      wave.astype(np.int16)[None], 's16', 'mono'
    )
    frame.sample_rate, frame.pts = 8000, int(late * 8000)
    target.mux(sound.encode(frame))
    target.mux(sound.encode())
  return path


def test_pictures_and_sound_are_those_of_the_video(tmp_path):
  path = with_sound(tmp_path / 'film.mov')
  made, shares = converted(path)
  assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > 2
  before, times = pictures(str(path))
  after, shown = pictures(made)
  assert after.shape == before.shape
  np.testing.assert_allclose(shown - shown[0], times - times[0], atol=0.002)
  assert np.abs(toy.quarters(after) - toy.quarters(before)).max() < 0.2
  made.seek(0)
  with av.open(made) as container:
    heard = list(container.decode(audio=0))
    rate = heard[0].sample_rate
    wave = np.concatenate(
      [x.to_ndarray().reshape(-1, x.samples) for x in heard], 1
    )
  start = float(heard[0].time) * rate
  loud = np.flatnonzero(np.abs(wave[0]) > 0.1)
  assert (loud[0] + start) / rate == pytest.approx(0.25, abs=0.06)
  assert (loud[-1] + start) / rate == pytest.approx(3, abs=0.06)
  middle = wave[0, loud[0] + rate // 4 :][: rate // 2]
  spectrum = np.abs(np.fft.rfft(middle))
  assert np.argmax(spectrum) * rate / len(middle) == pytest.approx(440, abs=4)


def test_what_a_phone_has_turned_is_upright(tmp_path):
  path = toy.clip(tmp_path / 'film.mp4', seed=3, size=64, height=96)
  plain, _ = pictures(str(path))
  content = bytearray(path.read_bytes())
  place = content.index(b'tkhd') + 44
  assert struct.unpack('>i', content[place : place + 4]) == (1 << 16,)
  quarter = (0, 1 << 16, 0, -(1 << 16), 0, 0, 96 << 16, 0, 1 << 30)
  content[place : place + 36] = struct.pack('>9i', *quarter)
  path.write_bytes(content)
  after, _ = pictures(converted(path)[0])
  expected = np.rot90(plain, -1, (1, 2))
  assert after.shape == expected.shape
  assert np.abs(toy.quarters(after) - toy.quarters(expected)).max() < 0.2


def test_large_videos_are_made_smaller_and_odd_ones_even(tmp_path, monkeypatch):
  monkeypatch.setattr(transcoding, '_LONGEST', 33)
  path = toy.clip(tmp_path / 'film.avi', size=64, height=48)
  after, _ = pictures(converted(path)[0])
  assert after.shape[1:3] == (24, 32)


@pytest.mark.parametrize('content', [b'', b'RIFF\0\0\0\0AVI LIST', b'x' * 999])
def test_what_is_no_video_is_a_sentence(tmp_path, content):
  (tmp_path / 'film.avi').write_bytes(content)
  with pytest.raises(errors.UserError, match='film.avi: '):
    converted(tmp_path / 'film.avi')


def test_a_cut_video_is_converted_up_to_there(tmp_path):
  path = toy.clip(tmp_path / 'film.webm', num_frames=36)
  content = path.read_bytes()
  path.write_bytes(content[: len(content) * 2 // 3])
  after, _ = pictures(converted(path)[0])
  assert 5 < len(after) < 36


def test_stills_of_a_long_video_are_found_by_seeking(tmp_path, monkeypatch):
  path = toy.clip(tmp_path / 'film.avi', num_frames=300)
  count, decoded = [0], stills._decoded

  def counted(*arguments):
    for frame in decoded(*arguments):
      count[0] += 1
      yield frame

  monkeypatch.setattr(stills, '_decoded', counted)
  with open(path, 'rb') as file:
    thumbnail = Image.open(io.BytesIO(stills.thumbnail(file)))
    assert count[0] <= 20
    preview = Image.open(io.BytesIO(stills.preview(file)))
  frames, _ = pictures(str(path))
  seen = toy.quarters(np.asarray(thumbnail)[None])
  off = np.abs(toy.quarters(frames) - seen).max(axis=1)
  assert 120 < np.argmin(off) < 180
  assert preview.n_frames == 10 and count[0] < 150
