"""Where videos are cut, against the definition; what is stored of it."""

import numpy as np
import pytest

from nph_jax.library import shots, store


def _frames(*angles):
  """Frames of two numbers, of any length, at these angles in degrees."""
  turned = np.radians(np.array(angles, np.float64))
  lengths = np.arange(1, len(angles) + 1)[:, None]
  return (lengths * np.stack([np.cos(turned), np.sin(turned)], 1)).astype('f2')


def test_a_part_ends_where_a_frame_is_not_like_its_first():
  """cos 25 = .906 and cos 27 = .891: a slow turn is cut as a change is."""
  frames = _frames(0, 10, 25, 27, 40, 90, 90, 90, 90, 0)
  seconds, kept, lengths = shots.cut('auto', frames)
  assert seconds == 0.4 and lengths.tolist() == [3, 2, 4, 1]
  np.testing.assert_array_equal(kept, frames[[1, 3, 6, 9]])


def test_black_frames_and_one_frame_are_parts():
  black = np.zeros((4, 2), np.float16)
  assert shots.cut('auto', black[:1]).lengths.tolist() == [1]
  # A frame of nothing is like none.
  assert shots.cut('auto', black).lengths.sum() == 4


@pytest.mark.parametrize('length', [2.0, 'auto'])
def test_the_store_gives_back_what_it_was_given(tmp_path, length):
  frames = _frames(0, 10, 25, 27, 40, 90, 90)
  parts = shots.cut(length, frames)
  with store.Store(tmp_path) as opened:
    opened.set(num_frames=1, feature_dim=2)
    opened.cut(length)
    opened.put('/a.mp4', (0, 0), {}, frames[:1], parts=parts)
    (file,) = opened.files()
    found = opened.segments(file)
    assert opened.segmented() == {file.number}
  assert found.seconds == (0.4 if length == 'auto' else length)
  np.testing.assert_array_equal(found.frames, parts.frames)
  np.testing.assert_array_equal(found.lengths, parts.lengths)
