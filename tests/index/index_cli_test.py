"""python -m nph_jax.index: every command, resumption, and bad input."""

import json
import os
import pathlib
import subprocess
import sys

import encode_test as linear  # a bundle whose codes are known by hand
import index_cases
import numpy as np
import programs
import pytest
import scipy.io
from index_cases import build, write_manifest, write_rows

from nph_jax import errors
from nph_jax.data import blocks
from nph_jax.export import bundle, load_hasher
from nph_jax.index import VideoIndex, facets, filling
from nph_jax.index import __main__ as index

BITS = linear.NUM_BITS


def results(capsys, *arguments):
  capsys.readouterr()
  index.main(['search', '--index=ix', '--json', *arguments])
  lines = capsys.readouterr().out.splitlines()
  found = [json.loads(line) for line in lines]
  assert [line['query'] for line in found] == list(range(len(found)))
  return [line['results'] for line in found]


def pairs(hits):
  return [(hit['distance'], hit['id']) for hit in hits]


def expected(queries, k, number=11):
  codes = linear.expected(linear.frames(number))
  distances, ids = index_cases.nearest(queries, codes, range(number), k)
  return [list(zip(*map(list, row))) for row in zip(distances, ids)]


def test_build_and_search_features(files, capsys):
  build()
  assert capsys.readouterr().out == 'ix: 11 videos, 16 bits\n'
  source = ('--bundle=export', '--features=frames.h5', '--k=4')
  found = results(capsys, *source, '--rank=hamming')
  codes = linear.expected(linear.frames(11))
  assert [pairs(hits) for hits in found] == expected(codes, 4)
  assert found[3][0]['metadata'] == index_cases.metadata(1, 3)[0]


def test_search_by_id_leaves_the_video_itself_out(files, capsys):
  build('--no_relaxed')
  (hits,) = results(capsys, '--id=7', '--k=5')
  codes = linear.expected(linear.frames(11))[7:8]
  (everything,) = expected(codes, 11)
  assert pairs(hits) == [pair for pair in everything if pair[1] != 7][:5]
  (near,) = results(capsys, '--id=7', '--radius=5')
  assert pairs(near) == [p for p in everything if p[0] <= 5 and p[1] != 7]
  (cats,) = results(capsys, '--id=7', '--where=labels=cat', '--where=size=4')
  assert [hit['id'] for hit in cats] == [4]


def test_the_real_values_of_the_query_rank_where_they_are_known(files, capsys):
  build()
  scores = {}
  for more in ('--k=3', '--rank=asymmetric', '--rerank=8', '--rank=hamming'):
    (hits,) = results(capsys, '--id=7', '--k=3', more)
    scores[more] = [hit['score'] for hit in hits]
  assert scores.pop('--rank=hamming') == [None] * 3
  for found in scores.values():
    assert len(found) == 3 and found == sorted(found, reverse=True)
  assert scores['--k=3'] == scores['--rank=asymmetric'] != scores['--rerank=8']


def test_search_prints_for_people(files, capsys):
  build()
  index.main(['search', '--index=ix', '--id=7', '--k=1', '--rerank=2'])
  lines = capsys.readouterr().out.splitlines()
  assert lines[1] == 'query 0:'
  assert ' bits  cosine 0.' in lines[2] and 'videos/' in lines[2]


def test_add_codes_remove_and_info(files, capsys):
  build('--no_relaxed')
  index.main(['add', '--index=ix', '--codes=codes.npy'])
  assert capsys.readouterr().out.endswith('ix: 9 videos added, 20 in all\n')
  index.main(['remove', '--index=ix', '--ids=0,19,19,77'])
  assert capsys.readouterr().out == 'ix: 2 videos removed, 18 left\n'
  index.main(['info', '--index=ix', '--verify', '--json'])
  about = json.loads(capsys.readouterr().out)
  assert about.pop('bytes') > 11 * 2
  assert about == {
    'format': 2,
    'videos': 18,
    'num_bits': BITS,
    'engine': 'flat',
    'uri': None,
    'bundle': load_hasher('export').digest,
    'keeps_relaxed': False,
    'metadata': ['duration', 'frame_times', 'labels', 'path', 'size'],
    'removed_not_compacted': 2,
    'interrupted': {},
  }
  index.main(['info', '--index=ix'])
  assert 'videos: 18\n' in capsys.readouterr().out


def test_codes_say_which_bundle_made_them(files, capsys, caplog):
  index.main(['build', '--out=ix', '--codes=codes.npy', '--bundle=export'])
  assert capsys.readouterr().err == ''
  with VideoIndex.open('ix', read_only=True) as found:
    assert found.bundle_digest == load_hasher('export').digest
    assert not found.keeps_relaxed
  found = results(capsys, '--bundle=export', '--codes=codes.npy', '--k=1')
  assert [hits[0]['distance'] for hits in found] == [0] * 9 and not caplog.text
  np.save('more.npy', np.load('codes.npy')[:2])
  index.main(['add', '--index=ix', '--codes=more.npy'])
  assert capsys.readouterr().err.startswith('note: more.npy: taken for codes')


def test_codes_of_an_unknown_bundle_are_said_to_be(files, capsys, caplog):
  index.main(['build', '--out=ix', '--codes=codes.npy'])
  assert capsys.readouterr().err.count('note: ix: does not know') == 1
  results(capsys, '--bundle=export', '--features=frames.h5')
  assert caplog.text.count('ix: does not know which bundle') == 1
  index.main(['info', '--index=ix'])
  assert 'bundle: unknown' in capsys.readouterr().out


def test_labels_become_metadata(files, capsys):
  labels = np.eye(3, dtype=np.uint8)[np.arange(9) % 3]
  scipy.io.savemat('labels.mat', {'labels': labels})
  pathlib.Path('names.json').write_text('["a", "b", "c"]')
  source = ['build', '--out=ix', '--codes=codes.npy', '--labels=labels.mat']
  index.main([*source, '--label_names=names.json'])
  (hits,) = results(capsys, '--id=0', '--where=labels=b')
  assert sorted(hit['id'] for hit in hits) == [1, 4, 7]
  assert hits[0]['metadata'] == {'labels': ['b']}


def test_shards_have_their_manifests(files, capsys):
  linear.save_h5('more.h5', linear.frames(5, seed=2))
  write_manifest('more.manifest.jsonl', 5, 100)
  build(features='frames.h5,more.h5')
  (hits,) = results(capsys, '--id=0', '--where=path=videos/103.mp4')
  assert [hit['id'] for hit in hits] == [14]


class Cut(Exception):
  pass


def cut_after(monkeypatch, blocks):
  """Commits every block, and ends the command when so many are added."""
  monkeypatch.setattr(filling, '_COMMIT', 1)
  add, calls = VideoIndex.add, []

  def limited(self, *args, **kwargs):
    if len(calls) == blocks:
      raise Cut
    calls.append(1)
    return add(self, *args, **kwargs)

  monkeypatch.setattr(VideoIndex, 'add', limited)
  return lambda: monkeypatch.setattr(VideoIndex, 'add', add)


@pytest.mark.parametrize(
  ('more', 'named'),
  [
    (['--no_relaxed'], '--no_relaxed'),
    (['--labels=labels.npy'], '--labels'),
    (['--manifest=other'], '--manifest'),
    (['--engine=ivf', '--labels=labels.npy'], '--labels and --engine'),
  ],
)
def test_an_interrupted_build_goes_on_with_its_own_flags(
  files, monkeypatch, more, named
):
  np.save('labels.npy', np.ones((11, 1), np.uint8))
  write_manifest('other', 11, 50)
  restore = cut_after(monkeypatch, 1)
  with pytest.raises(Cut):
    build()
  restore()
  with pytest.raises(errors.UserError, match=f'with another {named}; give'):
    build(*more)
  build()


def test_an_interrupted_build_stays_at_its_milvus(files, monkeypatch):
  pytest.importorskip('milvus_lite')
  restore = cut_after(monkeypatch, 1)
  with pytest.raises(Cut):
    build('--engine=milvus', '--uri=here.db')
  restore()
  with pytest.raises(errors.UserError, match='with another --uri; give'):
    build('--engine=milvus', '--uri=there.db')
  build('--engine=milvus', '--uri=here.db')


def test_an_addition_goes_on_with_its_own_labels(files, capsys, monkeypatch):
  index.main(['build', '--out=ix', '--codes=codes.npy'])
  np.save('more.npy', np.load('codes.npy'))
  np.save('labels.npy', np.ones((9, 1), np.uint8))
  monkeypatch.setattr('nph_jax.index.sources._CODES_BLOCK', 4)
  add = ['add', '--index=ix', '--codes=more.npy']
  restore = cut_after(monkeypatch, 1)
  with pytest.raises(Cut):
    index.main(add)
  restore()
  for _ in range(2):
    with pytest.raises(errors.UserError, match='another --labels; give the'):
      index.main([*add, '--labels=labels.npy'])
    index.main(add)
  capsys.readouterr()
  index.main([*add, '--labels=labels.npy', '--again'])
  assert capsys.readouterr().out == 'ix: 9 videos added, 27 in all\n'


@pytest.mark.parametrize('blocks', [0, 1, 2])
def test_an_interrupted_build_goes_on(files, capsys, monkeypatch, blocks):
  restore = cut_after(monkeypatch, blocks)
  with pytest.raises(Cut):
    build()
  restore()
  with VideoIndex.open('ix', read_only=True) as found:
    assert len(found) == blocks * linear.BLOCK_SIZE
    ((done, total),) = found.jobs().values()
    assert (done, total) == (len(found), 11)
  with pytest.raises(errors.UserError, match='an index is there already'):
    build('--engine=ivf')
  build()
  with VideoIndex.open('ix', read_only=True) as found:
    assert found.jobs() == {}
    items = [(v, m) for v, m in enumerate(index_cases.metadata(11))]
    assert found.items() == items
    found.verify()
  with pytest.raises(errors.UserError, match='an index is there already'):
    build()


def test_an_interrupted_addition_goes_on(files, capsys, monkeypatch):
  index.main(['build', '--out=ix', '--codes=codes.npy'])
  monkeypatch.setattr('nph_jax.index.sources._CODES_BLOCK', 4)
  restore = cut_after(monkeypatch, 1)
  with pytest.raises(Cut):
    index.main(['add', '--index=ix', '--codes=codes.npy', '--again'])
  restore()
  # Another one meanwhile is none of its business.
  np.save('other.npy', np.load('codes.npy')[:2])
  index.main(['add', '--index=ix', '--codes=other.npy'])
  index.main(['add', '--index=ix', '--codes=codes.npy'])
  assert capsys.readouterr().out.endswith('5 videos added, 20 in all\n')
  codes = np.load('codes.npy')
  with VideoIndex.open('ix') as found:
    stored = np.array([found.get(video)[0] for video in range(20)])
  parts = [codes, codes[:4], codes[:2], codes[4:]]
  np.testing.assert_array_equal(stored, np.concatenate(parts))


def test_the_same_addition_is_made_once(files, capsys):
  build()
  with pytest.raises(errors.UserError, match='these videos are in it'):
    build()
  add = ['add', '--index=ix', '--bundle=export', '--features=frames.h5']
  index.main(add)
  said = capsys.readouterr().out
  assert 'were added already, 11 in all; --again' in said
  index.main([*add, '--again'])
  assert capsys.readouterr().out == 'ix: 11 videos added, 22 in all\n'
  os.utime('frames.h5', (1, 1))
  index.main(add)
  assert capsys.readouterr().out == (
    'ix: 0 videos added, 11 skipped that were there already, 22 in all\n'
  )


def extended(number, seed=3):
  """A file with the 11 videos of frames.h5 among `number` others."""
  more = linear.frames(number, seed=seed)
  both = np.concatenate([more[:4], linear.frames(11), more[4:], more[:2]])
  linear.save_h5('both.h5', both)
  return both


def test_videos_that_are_there_are_skipped_and_said_so(files, capsys):
  """18 became 47 before: all 29 of the extended file were added."""
  build()
  both = extended(7)
  add = ['add', '--index=ix', '--bundle=export', '--features=both.h5']
  index.main(add)
  assert capsys.readouterr().out.endswith(
    'ix: 7 videos added, 13 skipped that were there already, 18 in all\n'
  )
  expected_codes = linear.expected(both)[[0, 1, 2, 3, 15, 16, 17]]
  with VideoIndex.open('ix', read_only=True) as found:
    stored = [found.get(video)[0] for video in range(11, 18)]
  np.testing.assert_array_equal(stored, expected_codes)


def test_files_are_known_by_the_hash_in_their_manifest(files, capsys):
  """Features of another extraction, say."""
  rows = [
    {**row, 'hash': f'h{n}'} for n, row in enumerate(index_cases.metadata(11))
  ]
  write_rows('frames.manifest.jsonl', rows)
  build()
  linear.save_h5('again.h5', linear.frames(5, seed=8))
  write_rows(
    'again.manifest.jsonl', [{'hash': f'h{n}'} for n in (3, 90, 4, 90, 5)]
  )
  index.main(['add', '--index=ix', '--bundle=export', '--features=again.h5'])
  assert capsys.readouterr().out.endswith(
    'ix: 1 videos added, 4 skipped that were there already, 12 in all\n'
  )


def another_bundle():
  other = linear.linear_bundle()
  kernel = -other.parameters['kernel']
  changed = bundle.Bundle(other.program, {'kernel': kernel}, other.manifest)
  bundle.write(changed, pathlib.Path('other'))
  return load_hasher('other')


def test_rehash_gives_every_video_the_codes_of_another_bundle(files, capsys):
  build()
  index.main(['remove', '--index=ix', '--ids=4'])
  hasher, both = another_bundle(), extended(3)
  assert len(both) == 16
  rehash = ['rehash', '--index=ix', '--bundle=other', '--features=both.h5']
  index.main(rehash)
  assert capsys.readouterr().out.endswith(
    f'ix: 10 videos rehashed, 16 bits of the bundle {hasher.digest}\n'
  )
  codes, t = hasher.encode_relaxed(linear.frames(11))
  with VideoIndex.open('ix', read_only=True) as found:
    assert found.ids().tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert found.items()[4] == (5, index_cases.metadata(1, 5)[0])
    np.testing.assert_array_equal(found.get(5)[0], codes[5])
    np.testing.assert_array_equal(found.get(5)[1], t[5].astype(np.float16))
    found.verify()
  with pytest.raises(errors.UserError, match='was built with the bundle'):
    index.main(['add', '--index=ix', '--bundle=export', '--features=both.h5'])


def test_rehash_of_codes_goes_by_their_order(files, capsys):
  index.main(['build', '--out=ix', '--codes=codes.npy'])
  linear.save_h5('nine.h5', linear.frames(9, seed=1))
  rehash = ['rehash', '--index=ix', '--bundle=export', '--features=nine.h5']
  with pytest.raises(errors.UserError, match='came of 0 of them; nothing was'):
    index.main(rehash)
  with pytest.raises(errors.UserError, match='holds 9 videos, but there are'):
    index.main([*rehash[:-1], '--features=frames.h5', '--in_order'])
  index.main([*rehash, '--in_order'])
  with VideoIndex.open('ix', read_only=True) as found:
    assert found.bundle_digest == load_hasher('export').digest
    # What was known of none before is known now.
    assert found.known(contents('nine.h5'), [None] * 9) == [
      [n] for n in range(9)
    ]


def contents(path):
  with blocks.FeatureFiles([path]) as file:
    return facets.contents(file.read(0, file.shape[0])).tolist()


def test_backup_and_restore(files, capsys):
  build()
  index.main(['backup', '--index=ix', '--out=ix.backup'])
  index.main(['restore', '--backup=ix.backup', '--out=iy'])
  assert capsys.readouterr().out.endswith(
    'iy: 11 videos, as they were written\n'
  )
  assert sorted(os.listdir('iy')) == ['index.sqlite', 'lock']
  with VideoIndex.open('iy', read_only=True) as copy:
    items = list(enumerate(index_cases.metadata(11)))
    assert copy.items() == items


def test_from_the_shell(files):
  command = ['-m', 'nph_jax.index']
  done = programs.run(*command, 'build', '--out=ix', '--codes=codes.npy')
  assert done.returncode == 0 and done.stderr.count('\n') == 1
  assert done.stderr.startswith('note: ix: does not know the bundle')
  done = programs.run(*command, 'search', '--index=gone', '--id=1')
  programs.assert_failed(done, 'gone/index.sqlite: is missing')
  # Whoever reads the first line alone is no mistake.
  search = [*command, 'search', '--index=ix', '--codes=codes.npy']
  environment = {**os.environ, 'PYTHONPATH': str(programs.ROOT)}
  with subprocess.Popen(
    [sys.executable, *search],
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
  ) as cut:
    cut.stdout.close()
    assert (cut.stderr.read(), cut.wait()) == (b'', 141)
