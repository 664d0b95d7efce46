"""ONNX files of a user's own: small graphs, made here."""

import numpy as np
import pytest

from nph_jax import errors, extract
from nph_jax.data import blocks
from nph_jax.extraction import backbones, onnx_graph, onnx_model

pytest.importorskip('onnxruntime')
SIZE = 8
RNG = np.random.default_rng(0)
PROJECTION = RNG.normal(size=(3, 5)).astype(np.float32)
PIXELS = onnx_model.Pixels(SIZE, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))


def write(path, first=True, batch='n', dtype='float32', width=5):
  """Mean colours, projected; the colours come first or last."""
  shape = (batch, 3, SIZE, SIZE) if first else (batch, SIZE, SIZE, 3)
  graph = onnx_graph.Graph('images', dtype, shape)
  x = graph.node('Cast', 'images', to=1)
  axes = (2, 3) if first else (1, 2)
  x = graph.node('ReduceMean', x, axes=axes, keepdims=0)
  x = graph.node('MatMul', x, graph.constant(PROJECTION))
  path.write_bytes(graph.model(x, (batch, width)))
  return str(path)


def crops(number):
  return RNG.integers(0, 256, (number, SIZE, SIZE, 3), np.uint8)


def expected(batch):
  scaled = (batch / 255.0 - PIXELS.mean) / PIXELS.scale
  return scaled.mean((1, 2)) @ PROJECTION.astype(np.float64)


@pytest.mark.parametrize('first', [True, False])
@pytest.mark.parametrize('batch', ['n', 1, 4])
@pytest.mark.parametrize('dtype', ['float32', 'float16'])
def test_any_layout_and_batch(tmp_path, first, batch, dtype):
  path = write(tmp_path / 'a.onnx', first, batch, dtype)
  network = backbones.create(f'onnx:{PIXELS}', path)
  assert network.feature_dim == 5
  pixels = crops(6)
  tolerance = 1e-5 if dtype == 'float32' else 2e-2
  found = network.features(pixels)
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, expected(pixels), atol=tolerance)


def test_bytes_are_fed_as_they_are(tmp_path):
  path = write(tmp_path / 'a.onnx', False, dtype='uint8')
  found = backbones.create(f'onnx:{PIXELS}', path).features(pixels := crops(3))
  means = pixels.mean((1, 2)) @ PROJECTION.astype(np.float64)
  np.testing.assert_allclose(found, means, rtol=1e-5)


def test_a_width_that_the_graph_leaves_open_is_found(tmp_path):
  path = write(tmp_path / 'a.onnx', width='width')
  assert backbones.feature_dim(f'onnx:size={SIZE}', path) == 5


def test_pixels_are_written_and_read():
  text = 'size=32:mean=0.5:scale=0.25'
  pixels = onnx_model.Pixels.parse(text)
  assert pixels == onnx_model.Pixels(32, (0.5,) * 3, (0.25,) * 3)
  assert onnx_model.Pixels.parse(str(pixels)) == pixels
  assert onnx_model.Pixels.parse('') == onnx_model.Pixels()


@pytest.mark.parametrize(
  'text', ['size=0', 'size=x', 'mean=1,2', 'scale=0', 'scale=nan', 'sise=3']
)
def test_bad_pixels(text):
  with pytest.raises(errors.UserError, match='expected a size of 1 or more'):
    backbones.find(f'onnx:{text}')


def test_files_that_do_not_fit(tmp_path):
  path = tmp_path / 'a.onnx'
  with pytest.raises(errors.UserError, match='needs --weights=FILE.onnx'):
    backbones.create('onnx')
  with pytest.raises(errors.UserError, match='no such file'):
    backbones.create('onnx', str(path))
  path.write_bytes(b'nothing')
  with pytest.raises(errors.UserError, match='cannot load it'):
    backbones.create('onnx', str(path))
  write(path)
  with pytest.raises(errors.UserError, match=r'expected one of \[n, 3, 9, 9\]'):
    backbones.create('onnx:size=9', str(path))
  with pytest.raises(errors.UserError, match='which has .*CPUExecution'):
    backbones.create('onnx:size=8', str(path), provider='Abacus')
  with pytest.raises(errors.UserError, match='vgg16 is not run by ONNX'):
    backbones.create('vgg16', provider='CUDAExecutionProvider')


def test_the_command_takes_them(clip, tmp_path):
  clip(tmp_path / 'videos' / 'a.mp4', 4)
  pytest.importorskip('PIL')
  path = write(tmp_path / 'a.onnx')
  out = tmp_path / 'f.h5'
  flags = [f'--videos={tmp_path / "videos"}', f'--out={out}', '--num_frames=2']
  flags += [f'--weights={path}', '--backbone=onnx', '--workers=1']
  extract.main([*flags, f'--size={SIZE}', '--mean=.5', '--scale=.5,.5,.25'])
  with blocks.FeatureFiles([str(out)]) as files:
    assert files.shape == (1, 2, 5)
  manifest = (tmp_path / 'f.manifest.jsonl').read_text()
  name = 'onnx:size=8:mean=0.5,0.5,0.5:scale=0.5,0.5,0.25'
  assert f'"backbone": "{name}"' in manifest
