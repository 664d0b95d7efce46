"""The copies that benchmarks.duplicates makes, and how it scores."""

import numpy as np
import pytest

from benchmarks import copies, duplicates

av = pytest.importorskip('av')

RATE, COUNT = 10, 40


def write(path, colour):
  """COUNT frames, 96 x 64: `colour`, a white left half that darkens."""
  with av.open(str(path), 'w') as file:
    stream = file.add_stream('mpeg4', rate=RATE)
    stream.width, stream.height, stream.pix_fmt = 96, 64, 'yuv420p'
    for number in range(COUNT):
      pixels = np.full((64, 96, 3), colour, np.uint8)
      pixels[:, :48] = 255 - 4 * number
      file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, 'rgb24')))
    file.mux(stream.encode())


def read(path):
  with av.open(str(path)) as file:
    return [x.to_ndarray(format='rgb24') for x in file.decode(video=0)]


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
  folder = tmp_path_factory.mktemp('clips')
  write(folder / 'a.mp4', (200, 40, 40))
  write(folder / 'b.mp4', (40, 40, 200))
  return folder / 'a.mp4', folder / 'b.mp4'


@pytest.mark.parametrize('kind', copies.KINDS + copies.HARDER)
def test_a_copy_has_the_length_and_look_of_its_kind(clips, tmp_path, kind):
  copies.make(kind, *clips, tmp_path / 'copy.mp4')
  frames, original = read(tmp_path / 'copy.mp4'), read(clips[0])
  seconds = copies.seconds(kind, COUNT / RATE)
  assert len(frames) == pytest.approx(seconds * RATE, abs=1)
  height, width = frames[0].shape[:2]
  scale = {'halved': 0.5, 'halved, crf 34': 0.5, 'crop 10 %': 0.9,
           'crop 25 %': 0.75, 'crop, mirror': 0.75}.get(kind, 1)  # fmt: skip
  assert abs(width - 96 * scale) <= 2
  tall = 64 * 1.333 if kind == 'letterbox' else 64 * scale
  assert abs(height - tall) <= 2
  first = {'middle': COUNT // 4, 'intro': -100}.get(kind, 0)
  if first < 0:  # begins with the other
    assert frames[0][height // 2, -4, 2] > 150 and len(frames) == COUNT + 100
    return
  # White on the left, but mirrored or within something else.
  left = frames[0][height // 2, 2 if 'mirror' not in kind else -3]
  expected = original[first][32, 2]
  if kind in ('inset', 'screen in screen', 'brighter', '3 degrees'):
    cut = original[0][:height, :width]
    assert np.abs(frames[0].astype(int) - cut).mean() > 2
  else:
    np.testing.assert_allclose(left, expected, atol=25)


def test_scores_are_those_of_a_ranking_by_hand():
  distances = np.array([[0.1, 0.2, 0.3], [0.4, 0.2, 0.9]])
  right = np.array([[True, False, False], [True, False, False]])
  precision, recall = duplicates._scores(distances, right, right | True)
  # Ranks 1 and 5 of 6; two false ones come at .2, before .3 and .4.
  assert precision == pytest.approx((1 + 2 / 5) / 2) and recall == 0.5
  tied = duplicates._scores(
    np.zeros((1, 2)), right[:1, :2], right[:1, :2] | True
  )
  assert tied == (0.5, 0.0)
  assert duplicates._scores(distances, right, right) == (1.0, 1.0)
