"""The program nph-jax, as someone calls it."""

import json
import pathlib
import sys

import clips
import library_worker
import numpy as np
import programs
import pytest

from nph_jax import __main__, errors, serve
from nph_jax.library import commands, running

WORKER = pathlib.Path(library_worker.__file__)


def call(*arguments, worker=True, **environment):
  start = [WORKER] if worker else ['-m', 'nph_jax']
  return programs.run(*start, *arguments, **environment)


def write_clip(path, *seeds):
  """Ten frames of a few colours that change slowly, a second for each seed."""
  path.parent.mkdir(parents=True, exist_ok=True)
  pictures = []
  for seed in seeds:
    start, end = np.random.default_rng(seed).integers(0, 255, (2, 4, 4, 3))
    for number in range(10):
      mixed = start + (end - start) * number // 10
      pictures.append(mixed.repeat(16, 0).repeat(16, 1).astype(np.uint8))
  clips.encode(path, pictures)


@pytest.fixture(scope='module')
def added(tmp_path_factory):
  """A folder of clips, one of them bad, that of a library, what was said."""
  pytest.importorskip('PIL')
  pytest.importorskip('pebble')
  folder = tmp_path_factory.mktemp('added')
  for number in range(6):
    write_clip(folder / 'videos' / 'ab'[number % 2] / f'{number}.mp4', number)
  (folder / 'videos' / 'a' / 'bad.mp4').write_text('no video')
  (folder / 'videos' / 'note.txt').write_text('a note')
  result = call(
    'add', folder / 'videos', f'--index={folder}/library',
    '--backbone=averages', '--labels=folders', '--workers=2',
  )  # fmt: skip
  assert result.returncode == 0, result.stderr
  return folder / 'videos', folder / 'library', result


def test_add_says_what_became_of_each_file(added):
  videos, library, result = added
  said = result.stdout.splitlines()
  assert said[:2] == ['6 added, 1 bad', 'ignored by suffix: 1 .txt']
  assert f'{library}: 6 videos, codes learned from 6 of them' in said[2]
  assert said[3].startswith(f'next: nph-jax search CLIP --index={library}')
  assert result.stderr.startswith(f'library: {library}\n')
  assert f'bad: {videos}/a/bad.mp4: ' in result.stderr


def test_search_by_id_says_what_was_searched_for(added):
  videos, library, _ = added
  result = call('search', '0', f'--index={library}', '--k=2')
  said = result.stdout.splitlines()
  assert said[0] == f'searched for: {videos}/a/0.mp4  0:01  a'
  assert len(said) == 4 and f'{videos}/a/0.mp4' not in '\n'.join(said[1:])


def test_search_by_a_clip_finds_it(added, tmp_path):
  videos, library, _ = added
  clip = tmp_path / 'clip.mp4'
  clip.write_bytes((videos / 'b' / '3.mp4').read_bytes())
  result = call('search', clip, f'--index={library}', '--k=1', '--json')
  (hit,) = json.loads(result.stdout)['results']
  assert hit['metadata']['path'] == f'{videos}/b/3.mp4'
  assert hit['distance'] == 0 and hit['score'] > 0.999
  assert 'start' not in hit  # of a library without segments


@pytest.mark.parametrize('length, off', [('0.2', 0.11), ('auto', 0.21)])
def test_a_clip_is_found_within_a_long_video(tmp_path, length, off):
  videos, library = tmp_path / 'videos', f'--index={tmp_path}/library'
  write_clip(videos / 'long.mp4', *range(6))
  for number in range(6, 15):  # that codes can be learned from
    write_clip(videos / f'{number}.mp4', number)
  write_clip(tmp_path / 'clip.mp4', 4, 5)
  result = call(
    'add', videos, library, '--backbone=averages', f'--segments={length}',
    '--num_frames=5',
  )  # fmt: skip
  assert result.returncode == 0, result.stderr
  result = call('search', tmp_path / 'clip.mp4', library, '--json')
  best, other, *_ = json.loads(result.stdout)['results']
  assert best['metadata']['path'] == f'{videos}/long.mp4'
  assert best['start'] == pytest.approx(4, abs=off)
  assert best['end'] == pytest.approx(6, abs=off)
  assert 'start' in other and best['score'] > other['score']
  said = call('search', tmp_path / 'clip.mp4', library, '--k=1').stdout
  assert f'{videos}/long.mp4 from 0:04 to 0:06  0:06' in said


def test_where_says_which_case_there_is(added):
  _, library, _ = added
  found = call('search', '0', f'--index={library}', '--where=labels=b')
  assert len(found.stdout.splitlines()) == 2 + 3
  missing = call('search', '0', f'--index={library}', '--where=labels=B')
  assert missing.returncode == 1 and 'there is labels=b.' in missing.stderr


def test_search_for_nothing_that_is_there(added):
  _, library, _ = added
  for query in ('17', 'clip.mp4'):
    result = call('search', query, f'--index={library}')
    assert result.returncode == 1
    assert 'error: ' in result.stderr and 'Traceback' not in result.stderr


def test_a_command_of_a_module_is_that_module():
  result = call('extract', '--videos=/nowhere', '--out=f.txt', worker=False)
  assert result.returncode == 1 and 'expected a name that ends' in result.stderr


def test_an_unknown_command_names_the_others(monkeypatch, capsys):
  monkeypatch.setattr(sys, 'argv', ['nph-jax', 'find'])
  with pytest.raises(SystemExit):
    __main__.main()
  assert 'find: no such command; there are add' in capsys.readouterr().err


def test_the_library_is_the_users_by_default(monkeypatch, tmp_path):
  monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path))
  assert commands.home() == tmp_path / 'nph_jax' / 'library'
  monkeypatch.delenv('XDG_DATA_HOME')
  assert commands.home().is_relative_to(pathlib.Path.home())


def test_serve_gets_bundle_and_folder_of_the_library(added, monkeypatch):
  videos, library, _ = added
  asked = []
  monkeypatch.setattr(serve, 'main', asked.extend)
  commands.serve([f'--index={library}', '--port=0'])
  digest = json.loads(call('index', 'info', f'--index={library}', '--json',
                           worker=False).stdout)['bundle']  # fmt: skip
  assert asked == [
    f'--index={library}', '--port=0', f'--bundle={library}/codes/{digest}',
    f'--videos={videos}',
  ]  # fmt: skip


def test_serve_of_another_index_wants_its_bundle(tmp_path):
  with pytest.raises(errors.UserError, match='no library is there'):
    commands.serve([f'--index={tmp_path}'])


def test_a_path_need_not_be_repeated_for_the_users_own(monkeypatch, capsys):
  running.say_next(commands.home())
  assert '--index' not in capsys.readouterr().out


def test_a_search_by_id_needs_no_jax(added):
  _, library, _ = added
  found = programs.loaded(
    'import contextlib, io, sys; from nph_jax import __main__\n'
    f'sys.argv[1:] = ["search", "0", "--index={library}"]\n'
    'with contextlib.redirect_stderr(io.StringIO()): __main__.main()'
  )
  assert not {'jax', 'av', 'onnxruntime'} & found
