"""python -m nph_jax.index given what it cannot use: one sentence."""

import os
import pathlib

import encode_test as linear  # a bundle whose codes are known by hand
import numpy as np
import programs
import pytest
from index_cases import build, write_manifest

from nph_jax import errors
from nph_jax.export import bundle, load_hasher
from nph_jax.index import __main__ as index


@pytest.mark.parametrize(
  ('arguments', 'complaint'),
  [
    ('build --out=new', 'one of the arguments --features --codes is required'),
    ('build --out=new --features=frames.h5', 'no codes come along for'),
    ('build --out=new --codes=wide.npy --bundle=export', 'makes codes of 16'),
    ('search --index=ix --id=1 --bundle=export', 'leave it out'),
    ('build --out=new --codes=gone.npy', 'gone.npy: no such file'),
    ('build --out=new --codes=codes.npy --manifest=short', 'of 3 videos, but'),
    ('build --out=new --codes=codes.npy --manifest=no', 'no: cannot be read'),
    ('build --out=new --codes=codes.npy --label_names=x', 'give both'),
    ('build --out=new --bundle=export --features=,', 'names no file'),
    ('build --out=new --bundle=export --features=thin.h5', '2 frames of width'),
    ('build --out=ix --codes=codes.npy', 'an index is there already'),
    ('build --out=/proc/x --codes=codes.npy', '/proc/x: cannot be written'),
    ('add --index=gone --codes=codes.npy', 'gone/index.sqlite: is missing'),
    ('add --index=ix --codes=wide.npy', 'have 24 bits, but the index'),
    ('remove --index=ix --ids=1,x', '--ids=1,x: expected whole numbers'),
    ('remove --index=ix --ids=99999999999999999999', 'expected whole numbers'),
    ('search --index=ix --id=1 --where=x', '--where x: expected NAME=VALUE'),
    ('info --index=codes.npy', 'codes.npy/index.sqlite: is missing'),
    ('find', "invalid choice: 'find'"),
    ('search --inde=ix', 'required: --index'),
  ],
)  # fmt: skip
def test_mistakes_get_one_sentence(files, arguments, complaint):
  build()
  linear.save_h5('thin.h5', linear.frames(3)[..., 1:])
  np.save('wide.npy', np.zeros((2, 3), np.uint8))
  write_manifest('short', 3)
  before = sorted(os.listdir())
  with programs.one_sentence(complaint):
    index.main(arguments.split())
  assert sorted(os.listdir()) == before


def test_bad_features_leave_no_index(files):
  """Else the mended file would be refused: an index is there already."""
  frames = linear.frames(5)
  frames[3, 1, 0] = np.nan
  linear.save_h5('mine.h5', frames)
  arguments = ['build', '--out=new', '--bundle=export', '--features=mine.h5']
  with programs.one_sentence('video 3'):
    index.main(arguments)
  assert not os.path.exists('new')
  linear.save_h5('mine.h5', linear.frames(5))
  index.main(arguments)


@pytest.mark.parametrize(
  'line', ['{', '[1]', '\x00', '{"a": NaN}', '[' * 99_999, '{"a": "\\ud800"}']
)
def test_bad_manifests_name_the_line(files, line):
  write_manifest('bad', 8)
  with open('bad', 'a') as file:
    file.write(line)
  with pytest.raises(errors.UserError, match='bad: line 9'):
    index.main(['build', '--out=new', '--codes=codes.npy', '--manifest=bad'])


def test_bad_metadata_is_placed_in_its_file(files, monkeypatch):
  """Not in the batch, nor in all the files together."""
  monkeypatch.setattr('nph_jax.index.filling._COMMIT', 1)
  monkeypatch.setattr('nph_jax.index.sources._CODES_BLOCK', 2)
  write_manifest('good', 3)
  write_manifest('bad', 4, 3)
  with open('bad', 'a') as file:
    file.write('{"a": NaN}\n{"b": 1}\n')
  flags = ['--codes=codes.npy', '--manifest=good,bad']
  with pytest.raises(errors.UserError, match='^bad: line 5: cannot be written'):
    index.main(['build', '--out=new', *flags])
  np.save('labels.npy', np.ones((9, 1), np.uint8))
  pathlib.Path('names.json').write_text('["\\ud800"]')
  flags = ['--codes=codes.npy', '--labels=labels.npy']
  with pytest.raises(errors.UserError, match='^labels.npy: video 0: cannot'):
    index.main(['build', '--out=ne', *flags, '--label_names=names.json'])


def test_another_bundle_is_refused(files, monkeypatch):
  build()
  other = linear.linear_bundle()
  kernel = other.parameters['kernel'] + 1
  changed = bundle.Bundle(other.program, {'kernel': kernel}, other.manifest)
  bundle.write(changed, pathlib.Path('other'))
  mine, theirs = (load_hasher(name).digest for name in ('export', 'other'))
  for command in ('add', 'search'):
    for videos in ('--features=frames.h5', '--codes=codes.npy'):
      with pytest.raises(errors.UserError) as caught:
        index.main([command, '--index=ix', '--bundle=other', videos])
      assert mine in str(caught.value) and theirs in str(caught.value)
