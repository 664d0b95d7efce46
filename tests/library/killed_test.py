"""Killed anywhere, `nph-jax add` loses nothing and goes on."""

import signal

import library_worker
import programs
import pytest

from nph_jax.library import codes, store
from nph_jax.library import library as library_lib

FILES = 14  # twelve are enough to learn from


def add(videos, library, starter, killed_at):
  return programs.run(
    library_worker.__file__,
    'add',
    videos,
    f'--index={library}',
    *(['--segments=5'] if 'index' in killed_at else []),
    STARTER=str(starter),
    KILLED_AT=killed_at,
  )


@pytest.mark.parametrize(
  'place',
  [
    'nph_jax.library.library:_new_index',
    'nph_jax.library.store:Store.put,5',
    'nph_jax.library.store:Store.allot',
    'nph_jax.index.video_index:VideoIndex.add',
    'nph_jax.index.segments:insert',  # within the transaction
    'nph_jax.library.codes:keep,2',  # of its own codes, not yet in use
    'nph_jax.export.hasher:Hasher.encode_relaxed,3',  # within the transaction
    'nph_jax.index.video_index:VideoIndex.rehash,2',
  ],
)
def test_a_killed_addition_goes_on(toy, tmp_path, starter, place):
  videos, library = tmp_path / 'videos', tmp_path / 'library'
  toy.write(videos, *(f'{"xy"[n % 2]}/{n}.mp4' for n in range(FILES)))
  result = add(videos, library, starter, place)
  assert result.returncode == -signal.SIGKILL, result.stderr
  done = _done(library)
  if done and done['videos']:
    toy.check_codes(library)
  report = toy.add(library, videos)
  after = toy.check(library)
  assert sorted(after.values()) == list(range(FILES))
  if done:
    assert report.counts['known'] == done['files']
    assert done['ids'].items() <= after.items()
  with library_lib.Library(library, 'read') as opened:
    assert codes.learned_from(opened.bundle) == FILES


def _done(library):
  """What a killed program had done."""
  if not (library / store.NAME).exists():
    return None
  with library_lib.Library(library) as opened:
    files = opened.store.files()
    return {
      'files': len(files),
      'videos': len(opened.index),
      'ids': {x.path: x.video for x in files if x.indexed},
    }
