"""Files as people have them: any container, cut, damaged, turned, wide, HDR."""

import fractions
import io

import clips
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.extraction import decoding, pictures, tasks

av = pytest.importorskip('av')
NUM_FRAMES = 40


def write(target, container, codec, pixels='yuv420p', options=None, noise=0):
  """Frame i is of brightness 5 i, each a key frame."""
  rng = np.random.default_rng(0)
  pictures = [
    np.full((48, 64, 3), 5 * number, np.uint8)
    + rng.integers(0, noise + 1, (48, 64, 3), np.uint8)
    for number in range(NUM_FRAMES)
  ]
  return clips.encode(
    target, pictures, codec, pixels, 25, container=container,
    container_options=options, options={'g': '1'}, bit_rate=4_000_000,
  )  # fmt: skip


def content(*arguments, **options):
  return write(io.BytesIO(), *arguments, **options).getvalue()


@pytest.mark.parametrize(
  'container, codec, pixels',
  [
    ('mpegts', 'mpeg2video', 'yuv420p'),
    ('mpegts', 'mpeg4', 'yuv420p'),
    ('3gp', 'mpeg4', 'yuv420p'),
    ('asf', 'wmv2', 'yuv420p'),
    ('flv', 'flv', 'yuv420p'),
    ('mpeg', 'mpeg2video', 'yuv420p'),
    ('ogg', 'libtheora', 'yuv420p'),
    ('gif', 'gif', 'rgb8'),
  ],
)
def test_containers_by_their_content(container, codec, pixels):
  try:
    file = io.BytesIO(content(container, codec, pixels))
  except (av.error.FFmpegError, ValueError):
    pytest.skip(f'this build of libav writes no {codec}')
  sampled = decoding.sample_frames(file, 4)
  found = [frame.mean() / 5 for frame in sampled.frames]
  # A decoder of MPEG-2 keeps the last frame back, or does not.
  np.testing.assert_allclose(found, [5, 15, 25, 35], atol=4)
  assert sampled.share == 1


def webp(num_frames):
  image = pytest.importorskip('PIL.Image')
  images = [
    image.new('RGB', (64, 48), (5 * n, 5 * n, 5 * n)) for n in range(num_frames)
  ]
  file = io.BytesIO()
  images[0].save(
    file,
    'WEBP',
    save_all=num_frames > 1,
    append_images=images[1:],
    duration=40,
  )
  return file


def test_animated_webp():
  sampled = decoding.sample_frames(webp(NUM_FRAMES), 4)
  found = [frame.mean() / 5 for frame in sampled.frames]
  np.testing.assert_allclose(found, [5, 15, 25, 35], atol=1)
  np.testing.assert_allclose(sampled.times, [0.2, 0.6, 1.0, 1.4])
  assert sampled.duration == pytest.approx(1.6)
  with pytest.raises(errors.UserError, match='more than 9 frames'):
    decoding.sample_frames(webp(NUM_FRAMES), 4, max_frames=9)
  damaged = webp(NUM_FRAMES).getvalue()[:300]
  with pytest.raises(errors.UserError, match='no video that can be decoded'):
    decoding.sample_frames(io.BytesIO(damaged), 4)


def test_a_still_picture_is_no_video():
  with pytest.raises(errors.UserError, match='a still picture'):
    decoding.sample_frames(webp(1), 4)
  file = io.BytesIO()
  webp_image = pytest.importorskip('PIL.Image').open(webp(1))
  webp_image.convert('P').save(file, 'GIF')
  with pytest.raises(errors.UserError, match='a still picture'):
    decoding.sample_frames(file, 4)


def test_a_cover_is_no_video(tmp_path):
  path = tmp_path / 'song.mp4'
  with av.open(str(path), 'w') as file:
    sound = file.add_stream('aac', rate=8000)
    cover = file.add_stream('mjpeg')
    cover.width, cover.height, cover.pix_fmt = 64, 48, 'yuvj420p'
    cover.disposition = av.stream.Disposition.attached_pic
    picture = np.zeros((48, 64, 3), np.uint8)
    file.mux(cover.encode(av.VideoFrame.from_ndarray(picture, 'rgb24')))
    frame = av.AudioFrame.from_ndarray(
      np.zeros((1, 1024), np.float32), format='fltp', layout='mono'
    )
    frame.rate = 8000
    file.mux(sound.encode(frame))
    file.mux(sound.encode())
  with av.open(str(path)) as file:
    assert file.streams.video
  with pytest.raises(errors.UserError, match='holds no video stream'):
    decoding.sample_frames(path, 4)


MOV_FAST = {'movflags': 'faststart'}


@pytest.mark.parametrize(
  'container, codec, options',
  [
    ('mp4', 'mpeg4', MOV_FAST),
    ('mov', 'mpeg4', MOV_FAST),
    ('avi', 'mpeg4', None),
    ('matroska', 'mpeg4', None),
  ],
)
def test_half_a_file_is_half_a_video(tmp_path, container, codec, options):
  # Not in memory: faststart reads the file again.
  path = tmp_path / 'a.video'
  write(str(path), container, codec, options=options, noise=50)
  assert decoding.sample_frames(path, 4).share == 1
  whole = path.read_bytes()
  path.write_bytes(whole[: len(whole) // 2])
  sampled = decoding.sample_frames(path, 4)
  assert sampled.share == pytest.approx(0.5, abs=0.1)
  assert len({frame.tobytes() for frame in sampled.frames}) == 4
  facts = tasks.decode(tasks.Task(str(path), 'vgg16', 4)).facts
  assert facts['partial'] == pytest.approx(sampled.share, abs=1e-6)


def test_a_bad_packet_costs_its_frame(tmp_path):
  path = tmp_path / 'a.mp4'
  write(str(path), 'mp4', 'mpeg4')
  with av.open(str(path)) as file:
    packets = [x for x in file.demux(video=0) if x.size]
  expected = decoding.sample_frames(path, NUM_FRAMES).frames
  damaged = bytearray(path.read_bytes())
  bad = packets[7]
  damaged[bad.pos : bad.pos + bad.size] = bytes(bad.size)
  path.write_bytes(damaged)
  sampled = decoding.sample_frames(path, NUM_FRAMES)
  assert sampled.share == (NUM_FRAMES - 1) / NUM_FRAMES
  found = {frame.tobytes() for frame in sampled.frames}
  assert found == {frame.tobytes() for frame in expected} - {
    expected[7].tobytes()
  }


CORNER = np.zeros((48, 64, 3), np.uint8)
CORNER[:16, :16] = 255
CORNER[:16, 16:32, 0] = 255


@pytest.mark.parametrize(
  'matrix, expected',
  [
    ((1, 0, 0, 1), CORNER),
    ((-1, 0, 0, 1), CORNER[:, ::-1]),
    ((1, 0, 0, -1), CORNER[::-1]),
    ((-1, 0, 0, -1), CORNER[::-1, ::-1]),
    ((0, 1, -1, 0), np.rot90(CORNER, -1)),
    ((0, -1, 1, 0), np.rot90(CORNER)),
    ((0, 1, 1, 0), CORNER.transpose(1, 0, 2)),
    ((0, -1, -1, 0), CORNER[::-1, ::-1].transpose(1, 0, 2)),
  ],
)
def test_mirrored_and_turned(clip, tmp_path, matrix, expected):
  """ISO/IEC 14496-12, 6.2.2: (p, q) is shown at (a p + c q, b p + d q)."""
  path = clip(tmp_path / 'a.mov', 4, pictures=[CORNER] * 4)
  a, b, c, d = matrix
  numbers = [((1, 0, 0), (0, 1, 0), (0, 0, 1 << 14))]
  numbers += [((a, b, 0), (c, d, 0), (0, 0, 1 << 14))]
  old, new = (
    b''.join(
      ((x << 16) % (1 << 32)).to_bytes(4, 'big') for row in rows for x in row
    )
    for rows in numbers
  )
  content = path.read_bytes()
  place = content.index(old, content.index(b'tkhd'))
  path.write_bytes(content[:place] + new + content[place + len(new) :])
  found = decoding.sample_frames(path, 1).frames[0]
  assert found.shape == expected.shape
  assert np.abs(found.astype(int) - expected).mean() < 12


@pytest.mark.parametrize(
  'aspect, shape',
  [('4/3', (48, 85)), ('1/2', (96, 64)), ('101/100', (48, 64))],
)
def test_pixels_that_are_not_square(tmp_path, aspect, shape):
  path = clips.encode(
    tmp_path / 'a.mp4',
    [CORNER],
    sample_aspect_ratio=fractions.Fraction(aspect),
  )
  frame = decoding.sample_frames(path, 1).frames[0]
  assert frame.shape == (*shape, 3)
  assert frame[: shape[0] // 3 - 2, : shape[1] // 4 - 2].mean() > 200


def hdr_frame(codes, transfer):
  """RGB of 0 to 1 in BT.2020, as 10 bits in the narrow range."""
  red, green, blue = codes
  # ITU-R BT.2020, table 4.
  luma = 0.2627 * red + 0.678 * green + 0.0593 * blue
  values = [64 + 876 * luma]
  values += [512 + 896 * (blue - luma) / 1.8814]
  values += [512 + 896 * (red - luma) / 1.4746]
  frame = av.VideoFrame(64, 48, 'yuv420p10le')
  for plane, value in zip(frame.planes, values):
    length = plane.buffer_size // 2
    plane.update(np.full(length, round(value), np.uint16).tobytes())
  frame.color_trc, frame.color_primaries, frame.colorspace = transfer, 9, 9
  frame.color_range = 1
  return frame


def shown(codes, transfer):
  return pictures.picture(hdr_frame(codes, transfer), None)[24, 32].astype(int)


@pytest.mark.parametrize(
  'transfer, code, nits',
  [(16, 0.5081, 100), (16, 0.7518, 1000), (18, 0.75, 203), (18, 1, 1000)],
)
def test_what_codes_of_high_dynamic_range_show(transfer, code, nits):
  """ITU-R BT.2408, tables 1 and 4 (PQ), and BT.2100 for 1000 cd/m2 (HLG)."""
  light = pictures._light(transfer)[round(code * 65535)] * 203
  assert light == pytest.approx(nits, rel=0.01)


@pytest.mark.parametrize('transfer', [16, 18])
def test_high_dynamic_range_is_mapped(transfer):
  """Paper white is at 0.58 of PQ and 0.75 of HLG (ITU-R BT.2408, table 1)."""
  white = {16: 0.5807, 18: 0.75}[transfer]
  greys = np.array([shown([x] * 3, transfer) for x in np.linspace(0, 1, 9)])
  # The last ones of PQ are beyond the peak.
  assert (np.diff(greys[:7, 1]) > 0).all()
  assert np.ptp(greys, axis=1).max() <= 3
  assert greys[0].max() <= 3 and greys[-1].min() >= 250
  np.testing.assert_allclose(shown([white] * 3, transfer), 190, atol=4)
  # A red of BT.2020 is out of BT.709: it is as red as can be.
  red, green, blue = shown([white, 0.2, 0.2], transfer)
  assert red > 190 and max(green, blue) < 60


def test_memory_is_that_of_what_is_kept(clip, tmp_path):
  tracemalloc = pytest.importorskip('tracemalloc')
  path = clip(tmp_path / 'a.mp4', 30, size=(720, 1280))
  tracemalloc.start()
  sampled = decoding.sample_frames(
    path, 20, prepare=lambda pixels: pixels[:8, :8].copy()
  )
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert {frame.shape for frame in sampled.frames} == {(8, 8, 3)}
  assert peak < 4 * 720 * 1280 * 3
