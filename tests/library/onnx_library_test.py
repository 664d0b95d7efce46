"""A library of a user's own network: a small ONNX file, made here."""

import os

import pytest
from program_test import write_clip

from nph_jax import errors
from nph_jax.extraction import onnx_graph
from nph_jax.library import codes, commands
from nph_jax.library import library as library_lib


def write(path, width=5):
  """Sums of colours, repeated."""
  np = pytest.importorskip('numpy')
  graph = onnx_graph.Graph('images', 'float32', ('n', 3, 8, 8))
  x = graph.node('ReduceMean', 'images', axes=(2, 3), keepdims=0)
  weights = np.arange(3 * width, dtype=np.float32).reshape(3, width)
  x = graph.node('MatMul', x, graph.constant(weights))
  path.write_bytes(graph.model(x, ('n', width)))


@pytest.fixture
def add(tmp_path, monkeypatch):
  """`nph-jax add` of two clips; its further flags."""
  for package in ('onnxruntime', 'PIL', 'pebble'):
    pytest.importorskip(package)
  monkeypatch.setattr(codes, 'NUM_BITS', 8)
  monkeypatch.chdir(tmp_path)
  for number in range(2):
    write_clip(tmp_path / 'videos' / f'{number}.mp4', number)
  write(tmp_path / 'own.onnx')
  common = ['videos', '--index=library', '--workers=1']
  return lambda *flags: commands.add([*common, *flags])


def test_it_remembers_its_network_and_refuses_another(add, tmp_path, capsys):
  pixels = ['--size=8', '--mean=0', '--scale=1']
  with pytest.raises(errors.UserError, match='--size=8 needs --backbone=onnx'):
    add('--size=8')
  own = ['--backbone=onnx', '--weights=own.onnx', *pixels]
  add(*own, '--num_frames=2')
  name = 'onnx:size=8:mean=0.0,0.0,0.0:scale=1.0,1.0,1.0'
  with library_lib.Library(tmp_path / 'library', 'read') as library:
    settings = library.store.settings
    assert (settings['backbone'], settings['feature_dim']) == (name, 5)
    assert [about['backbone'] for _, about in library.items()] == [name] * 2
  add()
  add(*own)
  assert capsys.readouterr().out.count('2 known') == 2
  write(tmp_path / 'other.onnx')
  for flags, reason in (
    (['--backbone=vgg16'], f'the library was made with {name}'),
    ([*own, '--size=9'], f'the library was made with {name}'),
    (['--weights=other.onnx'], 'the library was made with .*own.onnx'),
    (['--num_frames=4'], 'the library was made with 2'),
  ):
    with pytest.raises(errors.UserError, match=reason) as caught:
      add(*flags)
    assert '\n' not in str(caught.value)
  write(tmp_path / 'own.onnx', width=4)
  os.rename('other.onnx', 'videos/new.mp4')
  with pytest.raises(errors.UserError, match='is not the file that the libr'):
    add()
