"""Codes of features without a --bundle: the library's, or the starter's."""

import json

import numpy as np
import pytest

from nph_jax import encode, errors
from nph_jax.export import load_hasher
from nph_jax.index import __main__ as index
from nph_jax.library import codes, commands
from nph_jax.library import library as library_lib


@pytest.fixture
def features(toy, tmp_path, monkeypatch):
  """A feature file, where the user has no library yet."""
  monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'home'))
  monkeypatch.chdir(tmp_path)
  toy.write(tmp_path, *(f'x/{n}.mp4' for n in range(13)))
  paths = [tmp_path / f'x/{n}.mp4' for n in range(13)]
  np.save('f.npy', np.stack([toy.features(path) for path in paths]))
  return 'f.npy'


def first_hits(capsys):
  capsys.readouterr()
  index.main(['search', '--index=ix', '--features=f.npy', '--k=1', '--json'])
  lines = capsys.readouterr().out.splitlines()
  hits = [json.loads(line)['results'][0] for line in lines]
  return [(hit['id'], hit['distance']) for hit in hits]


def test_the_starters_without_a_library_then_the_librarys(
  toy, features, tmp_path, capsys
):
  encode.main([f'--features={features}', '--out=starter.npy'])
  starter = codes.starter(toy.FRAMES, toy.WIDTH).load()
  np.testing.assert_array_equal(
    np.load('starter.npy'), starter.encode(np.load(features))
  )
  kept = tmp_path / 'home' / 'nph_jax' / f'starter-{toy.FRAMES}x{toy.WIDTH}'
  said = capsys.readouterr().err.splitlines()
  assert said[0] == f'no --bundle: taking {kept}'
  assert codes.learned_from(load_hasher(kept)) == 0
  index.main(['build', '--out=ix', f'--features={features}'])
  expected = [(video, 0) for video in range(13)]
  assert first_hits(capsys) == expected
  toy.add(commands.home(), 'x')
  encode.main([f'--features={features}', '--out=own.npy'])
  with library_lib.Library(commands.home(), 'read') as library:
    assert codes.learned_from(library.hasher) == 13
    own = library.hasher.encode(np.load(features))
  np.testing.assert_array_equal(np.load('own.npy'), own)
  # What the index was built with, whatever there is now.
  assert first_hits(capsys) == expected
  index.main(['build', '--out=own', f'--features={features}'])
  assert f'{library.hasher.digest}' in capsys.readouterr().err


def test_features_of_another_network_have_no_codes(features):
  np.save('other.npy', np.zeros((3, 2, 5), np.float16))
  with pytest.raises(errors.UserError, match='features of width 5; give'):
    encode.main(['--features=other.npy', '--out=c.npy'])
