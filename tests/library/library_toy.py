"""Libraries of small files that are no videos, each a few numbers of features.

Features are of what a file says: its first line is a seed.
"""

import argparse
import importlib
import os
import signal

import numpy as np

from nph_jax.extraction import tasks
from nph_jax.index import segments as index_segments
from nph_jax.library import (
  adding,
  closed_form,
  codes,
  extraction,
  running,
  shots,
)
from nph_jax.library import library as library_lib

FRAMES, WIDTH = 3, 12


def patches(starter):
  """What makes toys of libraries: (owner, name, value)."""
  return (
    (extraction, 'run', run),
    (extraction, 'settings', _settings),
    (codes, 'STARTER', starter),
    (codes, 'NUM_BITS', 32),
    (codes, 'FIRST', 12),
    (codes, 'NEIGHBORS', 20),
  )


def _settings(backbone, weights, num_frames):
  return {
    'backbone': backbone or 'toy',
    'weights': weights,
    'num_frames': num_frames or FRAMES,
    'feature_dim': WIDTH,
  }


def write_starter(path):
  """Tables for frames of width WIDTH."""
  videos = np.random.default_rng(0).random((40, FRAMES, WIDTH))
  read = lambda: iter([videos.astype(np.float16)])  # noqa: E731
  np.savez(path, **closed_form.fit('itq_moments', 32, read, videos.shape))


def write(folder, *names, text=None):
  """Files `names` below the folder, of content of their own, or `text`."""
  for name in names:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or f'{name} {"." * 20}')


def features(path):
  """float16 [M, WIDTH] of a file, near to those of files in its folder."""
  rng = lambda text: np.random.default_rng(list(str(text).encode()))  # noqa: E731
  with open(path) as file:
    own = rng(file.read()).random((FRAMES, WIDTH))
  place = rng(os.path.basename(os.path.dirname(path))).random((1, WIDTH))
  return (np.maximum(place + 0.3 * own - 0.3, 0)).astype(np.float16)


def segments(path, seconds):
  """float16 [n, WIDTH] of a file of 61 s, its own frames again and again."""
  rows = features(path)
  return rows[np.arange(int(61 / seconds)) % len(rows)]


def run(videos, chosen, decoding, done):
  """In place of extraction.run: a file that says bad is one."""
  del decoding
  for video in videos:
    with open(video.path, 'rb') as file:
      bad = file.read().startswith(b'bad')
      file.seek(0)
      content = tasks.digest(file)
    if bad:
      done(video, {'error': f'{video.path}: is bad.'}, None)
    else:
      facts = {'duration': 61.0, 'hash': content, 'backbone': 'toy'}
      spacing = shots.spacing(chosen.get('segments'))
      stream = segments(video.path, spacing) if spacing else None
      done(video, facts, features(video.path), stream)


def flags(folder, *places, **others):
  """Those of `nph-jax add`."""
  given = {
    'labels': None, 'prune': False, 'retry': False, 'bundle': None,
    'backbone': None, 'weights': None, 'num_frames': FRAMES, 'workers': 1,
    'time_limit': 60, 'segments': None,
  }  # fmt: skip
  names = [str(place) for place in places]
  return argparse.Namespace(index=folder, videos=names, **given | others)


def add(folder, *places, prune=False, retry=False, **others):
  """What `nph-jax add` does; the report."""
  with library_lib.Library(folder) as library:
    running.settle(library, flags(folder, *places, **others))
    return adding.run(
      library,
      [str(place) for place in places],
      extraction.Decoding(1, 60),
      prune=prune,
      retry=retry,
    )


def paths(folder):
  """Path of each video in the index, by id."""
  with library_lib.Library(folder, 'read') as library:
    return {video: about['path'] for video, about in library.items()}


def check(folder):
  """That every code in the index is what the hasher makes of the features."""
  with library_lib.Library(folder, 'read') as library:
    files = library.videos()
    assert len(files) == len(library.index)
    frames = library.store.frames(files)
    codes, relaxed = library.hasher.encode_relaxed(frames)
    for file, code, t in zip(files, codes, relaxed):
      np.testing.assert_array_equal(
        frames[files.index(file)], features(file.path)
      )
      found, kept, about = library.index.get(file.video)
      np.testing.assert_array_equal(found, code)
      np.testing.assert_allclose(kept, t, rtol=2e-3, atol=1e-4)
      assert about == library.metadata(file)
    library.index.verify()
    check_segments(library, files)
    return {file.path: file.video for file in files}


def check_segments(library, files):
  """That the index has codes of just the segments that are to be."""
  length = library.store.length
  seconds = shots.spacing(length)
  found = library.index._store.ask(index_segments.read, library.index.num_bits)
  assert set(found) == {file.video for file in files if seconds}
  for file in files if seconds else ():
    _, frames, lengths = shots.cut(length, segments(file.path, seconds))
    still = np.repeat(frames[:, None], library.hasher.num_frames, axis=1)
    kept = found[file.video]
    assert kept[:2] == (seconds, 61.0)
    codes = library.hasher.encode(still).repeat(lengths, axis=0)
    np.testing.assert_array_equal(kept.codes, codes)


def check_codes(folder):
  """That bundle and codes belong together, whatever is waiting."""
  with library_lib.Library(folder, 'read') as library:
    for video, about in library.items():
      code = library.hasher.encode(features(about['path'])[None])[0]
      np.testing.assert_array_equal(library.index.get(video)[0], code)


def kill_after(place):
  """Kills this process when a function returns for the n-th time.

  Args:
    place: module:Class.function,n
  """
  place, _, times = place.partition(',')
  module, _, name = place.partition(':')
  owner = importlib.import_module(module)
  *path, last = name.split('.')
  for part in path:
    owner = getattr(owner, part)
  whole, left = getattr(owner, last), [int(times or 1)]

  def deadly(*args, **kwargs):
    result = whole(*args, **kwargs)
    left[0] -= 1
    if not left[0]:
      os.kill(os.getpid(), signal.SIGKILL)
    return result

  setattr(owner, last, deadly)
