"""The bundle as files: whole or not at all, and a sentence when damaged."""

import json
import os
import pathlib
import sys

import numpy as np
import programs
import pytest

from nph_jax import errors
from nph_jax.export import bundle, files, load_hasher

FILES = ['README.md', 'hasher.stablehlo', 'manifest.json', 'parameters.npz']


@pytest.fixture
def written(toy, tmp_path):
  folder = tmp_path / 'work' / 'export'
  bundle.write(toy.bundle, folder)
  return folder


@pytest.fixture
def small_files():
  """Files may not grow beyond 4 KiB, as if the disk were full."""
  with programs.full_disk(4096):
    yield


def other(toy):
  """The same hasher with all anchors moved."""
  parameters = {**toy.bundle.parameters}
  parameters['anchors'] = parameters['anchors'] + 1
  return bundle.Bundle(toy.bundle.program, parameters, toy.bundle.manifest)


def test_holds_program_parameters_configuration_and_readme(toy, written):
  assert sorted(os.listdir(written)) == FILES
  manifest = json.loads((written / 'manifest.json').read_text())
  assert manifest['config']['num_bits'] == manifest['num_bits'] == 16
  assert manifest['config']['method_options']['attention']['scale'] == 256
  assert (manifest['method'], manifest['step']) == ('nph', 5)
  with np.load(written / 'parameters.npz') as file:
    np.testing.assert_array_equal(file['anchors'], toy.anchors)
    assert 'method/params/hash_layer/kernel' in file
    assert not [name for name in file if 'autoencoder/decoder' in name]
  readme = (written / 'README.md').read_text()
  assert '16 bits' in readme and '(videos, 3, 9)' in readme
  assert 'numpy.packbits' in readme


def test_everyone_may_read_it(written):
  assert written.stat().st_mode & 0o777 == 0o755
  for name in FILES:
    assert (written / name).stat().st_mode & 0o444 == 0o444


def test_a_second_one_replaces_the_first(toy, written):
  bundle.write(other(toy), written)
  with np.load(written / 'parameters.npz') as file:
    np.testing.assert_array_equal(file['anchors'], toy.anchors + 1)
  assert os.listdir(written.parent) == ['export']
  load_hasher(written)


def assert_untouched(toy, folder):
  assert os.listdir(folder.parent) == ['export']
  load_hasher(folder)  # which compares what the files should hold
  with np.load(folder / 'parameters.npz') as file:
    np.testing.assert_array_equal(file['anchors'], toy.anchors)


def test_a_full_disk_leaves_the_old_one(toy, written, small_files):
  with pytest.raises(errors.UserError, match='export: the disk is full'):
    bundle.write(other(toy), written)
  assert_untouched(toy, written)


def test_a_full_disk_leaves_nothing_where_nothing_was(
  toy, tmp_path, small_files
):
  with pytest.raises(errors.UserError, match='the disk is full'):
    bundle.write(toy.bundle, tmp_path / 'export')
  assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('file', range(len(FILES)))
def test_an_interruption_at_any_file_leaves_the_old_one(
  toy, written, monkeypatch, file
):
  write_through, number = files._write_through, iter(range(len(FILES)))

  def interrupted(path, content):
    if next(number) == file:
      raise KeyboardInterrupt
    write_through(path, content)

  monkeypatch.setattr(files, '_write_through', interrupted)
  with pytest.raises(KeyboardInterrupt):
    bundle.write(other(toy), written)
  assert_untouched(toy, written)


class Killed(BaseException):
  """Stands for kill -9: nothing that runs afterwards may be relied on."""


@pytest.fixture
def killed_between_renames(toy, written, monkeypatch):
  """A folder whose old bundle was set aside when the process died."""
  rename = pathlib.Path.rename

  def first_only(path, target):
    if path.name == '.export.new':
      raise Killed
    return rename(path, target)

  with monkeypatch.context() as patch:
    patch.setattr(pathlib.Path, 'rename', first_only)
    with pytest.raises(Killed):
      bundle.write(other(toy), written)
  return written


def test_killed_between_the_renames_the_reader_says_so(killed_between_renames):
  with pytest.raises(errors.UserError, match='manifest.json: is missing'):
    load_hasher(killed_between_renames)


def test_killed_between_the_renames_nothing_is_lost(
  toy, killed_between_renames, monkeypatch
):
  def full(path, content):
    raise OSError(28, 'No space left on device')

  with monkeypatch.context() as patch:
    patch.setattr(files, '_write_through', full)
    with pytest.raises(errors.UserError, match='the disk is full'):
      bundle.write(other(toy), killed_between_renames)
  assert_untouched(toy, killed_between_renames)


def test_killed_between_the_renames_the_next_write_succeeds(
  toy, killed_between_renames
):
  bundle.write(toy.bundle, killed_between_renames)
  assert_untouched(toy, killed_between_renames)


def message(folder):
  with pytest.raises(errors.UserError) as caught:
    load_hasher(folder)
  text = str(caught.value)
  assert '\n' not in text and text.endswith('.') and str(folder) in text
  return text


@pytest.mark.parametrize('name', FILES[1:])
def test_a_missing_file_is_named(written, name):
  (written / name).unlink()
  assert f'{name}: is missing' in message(written)


def test_a_missing_folder_is_named(tmp_path):
  assert 'is missing; a bundle is' in message(tmp_path / 'nowhere')


def truncate(path):
  path.write_bytes(path.read_bytes()[:-9])


def flip_a_bit(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 16
  path.write_bytes(content)


def empty(path):
  path.write_bytes(b'')


@pytest.mark.parametrize('damage', [truncate, flip_a_bit, empty])
@pytest.mark.parametrize('name', ['hasher.stablehlo', 'parameters.npz'])
def test_a_damaged_file_is_named(written, name, damage):
  damage(written / name)
  assert f'{name}: is damaged' in message(written)


@pytest.mark.parametrize(
  'text',
  [
    '',
    '{"format": 1',
    '[]',
    '3',
    '{}',
    f'{{"format": {bundle.FORMAT}}}',
    '\xff',
  ],
)
def test_a_damaged_manifest_is_an_error(written, text):
  (written / 'manifest.json').write_bytes(text.encode('latin-1'))
  assert 'is damaged' in message(written)


def test_files_of_two_bundles_are_an_error(toy, written, tmp_path):
  bundle.write(other(toy), tmp_path / 'other')
  (tmp_path / 'other' / 'parameters.npz').replace(written / 'parameters.npz')
  assert 'parameters.npz: is damaged or not of this bundle' in message(written)


@pytest.mark.parametrize(
  'change, remedy', [(1, 'update nph_jax'), (-1, 'export it again')]
)
def test_another_format_is_an_error(written, change, remedy):
  path = written / 'manifest.json'
  manifest = json.loads(path.read_text()) | {'format': bundle.FORMAT + change}
  path.write_text(json.dumps(manifest))
  assert remedy in message(written)


def test_a_program_of_another_jax_is_an_error(toy, tmp_path):
  manifest = {**toy.bundle.manifest, 'jax': '9.9.9'}
  foreign = bundle.Bundle(b'unreadable', toy.bundle.parameters, manifest)
  bundle.write(foreign, tmp_path / 'export')
  text = message(tmp_path / 'export')
  assert 'was exported by jax 9.9.9' in text


def test_a_missing_package_is_not_the_fault_of_a_version(written, monkeypatch):
  monkeypatch.setitem(sys.modules, 'flatbuffers', None)
  for name in [
    n for n in sys.modules if n.startswith('jax._src.export.serial')
  ]:
    monkeypatch.delitem(sys.modules, name)
  text = message(written)
  assert 'a package that reads it is missing' in text
  assert 'flatbuffers' in text
  assert 'exported by jax' not in text


def test_a_hasher_saved_again_is_the_same_bundle(toy, written, tmp_path):
  loaded = load_hasher(written)
  loaded.save(tmp_path / 'again')
  for name in FILES:
    copy = (tmp_path / 'again' / name).read_bytes()
    assert copy == (written / name).read_bytes(), name
  loaded.save(tmp_path / 'again')  # over itself
  assert load_hasher(tmp_path / 'again').digest == loaded.digest


def test_saving_removes_nothing_but_a_hasher(toy, tmp_path):
  (tmp_path / 'mine').mkdir()
  kept = tmp_path / 'mine' / 'thesis.txt'
  kept.write_text('years of work')
  for path in (kept.parent, kept):
    with pytest.raises(errors.UserError, match='something other than a hasher'):
      toy.hasher.save(path)
  assert kept.read_text() == 'years of work'
