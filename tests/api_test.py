"""From Python: frames in, codes and scores out, and a sentence for mistakes."""

import tempfile

import numpy as np
import pytest

import nph_jax
from nph_jax.data import moving_digits
from nph_jax.retrieval import evaluation


def digits(split='train', number=60):
  return moving_digits.make_videos(
    split, 0, number, seed=0, num_frames=3, canvas=9
  )


@pytest.fixture(scope='module')
def hasher(tmp_path_factory):
  return nph_jax.fit(digits()[0], 'itq', 16)


def test_fit_says_nothing_and_leaves_nothing(tmp_path, monkeypatch, capfd):
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
  monkeypatch.chdir(tmp_path)
  nph_jax.fit(digits()[0], 'itq', 16)
  assert capfd.readouterr() == ('', '')
  assert list(tmp_path.glob('nph_jax-*')) == []
  assert not (tmp_path / 'runs').exists()


def test_codes_are_those_of_the_method(hasher):
  """ITQ of the mean frames: signs that agree with its own float64 optimum."""
  frames, _ = digits()
  codes, relaxed = hasher.encode_relaxed(frames)
  assert codes.shape == (60, 2) and hasher.manifest['method'] == 'itq'
  mean = frames.astype(np.float16).astype(np.float64).mean(axis=1)
  centred = mean - mean.mean(axis=0)
  # t is a rotation of the leading principal components: their Gram matrix.
  u, s, _ = np.linalg.svd(centred, full_matrices=False)
  projected = u[:, :16] * s[:16]
  expected = projected @ projected.T
  scale = np.trace(expected) / np.sum(np.square(relaxed))
  np.testing.assert_allclose(
    scale * relaxed @ relaxed.T, expected, atol=2e-3 * expected.max()
  )


def test_an_array_its_file_and_its_parts_give_the_same(hasher, tmp_path):
  frames, _ = digits()
  paths = [tmp_path / 'a.npy', tmp_path / 'b.npy']
  for path, part in zip(paths, (frames[:25], frames[25:])):
    np.save(path, part)
  np.save(tmp_path / 'all.npy', frames)
  expected = hasher.encode(frames)
  for source in (paths, str(tmp_path / 'all.npy')):
    found = nph_jax.fit(source, 'itq', 16)
    np.testing.assert_array_equal(found.encode(frames), expected)


def test_a_workdir_keeps_the_run_and_goes_on(hasher, tmp_path):
  frames, _ = digits()
  for _ in range(2):
    nph_jax.fit(frames, 'itq', 16, workdir=tmp_path / 'run')
  kept = nph_jax.load_hasher(tmp_path / 'run' / 'export')
  np.testing.assert_array_equal(kept.encode(frames), hasher.encode(frames))
  with pytest.raises(nph_jax.UserError, match='config.seed was 0 and is 1'):
    nph_jax.fit(frames, 'itq', 16, seed=1, workdir=tmp_path / 'run')


def test_values_reach_the_configuration(tmp_path):
  found = nph_jax.fit(
    digits()[0],
    'nph',
    8,
    num_steps=1,
    seed=3,
    config={'model.hidden_width': 4, 'neighborhood.num_anchors': 7},
    memory_width=6,
    weights={'visual': 0.0, 'neighborhood': 0.0},
  )
  config = found.manifest['config']
  assert (config['seed'], config['num_bits']) == (3, 8)
  assert (
    config['train']['num_steps'] == config['neighborhood']['num_steps'] == 1
  )
  assert config['model']['hidden_width'] == 4
  assert config['method_options']['memory_width'] == 6
  assert config['method_options']['weights'] == {
    'similarity': 0.1, 'visual': 0.0, 'neighborhood': 0.0,
  }  # fmt: skip
  assert found.parameters['anchors'].shape[0] == 7


def bad(frames):
  frames = frames.copy()
  frames[4, 1, 2] = np.nan
  return frames


@pytest.mark.parametrize(
  ('frames', 'arguments', 'expected'),
  [
    (lambda x: x[0], {}, r'^frames: features of shape \(3, 81\)'),
    (lambda x: x[:5], {}, '^frames: 5 training videos; expected at least 10'),
    (bad, {}, '^frames: video 4 .* contains NaN'),
    (lambda x: [['a']], {}, '^frames: could not convert string'),
    (lambda x: '/nowhere/x.npy', {}, '/nowhere/x.npy'),
    (lambda x: x, {'method': 'foo'}, "'foo'; choose one of"),
    (lambda x: x, {'num_bits': 12}, 'num_bits is 12'),
    (lambda x: x, {'width': 3}, "'width' is no option of itq"),
    (lambda x: x, {'config': {'train.x': 3}}, 'train.x=3'),
  ],
)
def test_a_mistake_is_one_sentence(frames, arguments, expected):
  arguments = {'method': 'itq', 'num_bits': 16, **arguments}
  with pytest.raises(nph_jax.UserError, match=expected) as error:
    nph_jax.fit(frames(digits()[0]), **arguments)
  assert '\n' not in str(error.value)


def codes(seed, number, labels=5):
  draw = np.random.default_rng(seed)
  made = draw.integers(0, 256, (number, 2)).astype(np.uint8)
  return made, draw.integers(0, labels, number)


def test_scores_are_those_of_the_evaluation():
  (query, query_labels), (database, labels) = codes(0, 9), codes(1, 40)
  relaxed = np.random.default_rng(2).normal(size=(9, 16))
  expected = evaluation.evaluate_codes(
    query,
    np.eye(5)[query_labels],
    database,
    np.eye(5)[labels],
    query_relaxed=relaxed,
  )
  names = np.array(list('fghij'))
  for one, other in (
    (np.eye(5)[query_labels], np.eye(5)[labels]),
    (query_labels, labels),
    (names[query_labels], list(names[labels])),
  ):
    found = nph_jax.evaluate(query, one, database, other, query_relaxed=relaxed)
    assert found == expected
  for row in expected.map:
    protocol = {key: row[key] for key in row if key not in ('k', 'value')}
    assert found.value(row['k'], **protocol) == row['value']
  with pytest.raises(KeyError, match='not scored'):
    found.value(20, exclude_self=True)


def test_codes_alone_are_searched_among_themselves():
  query, labels = codes(0, 30)
  both = query, np.eye(5)[labels]
  expected = evaluation.evaluate_codes(*both, *both, self_rows=np.arange(30))
  found = nph_jax.evaluate(query, labels)
  assert found == expected
  assert found.value(5) > found.value(5, exclude_self=True)


@pytest.mark.parametrize(
  ('change', 'expected'),
  [
    ({'query_codes': np.ones((9, 2))}, r'codes of shape \(9, 2\)'),
    ({'query_codes': np.ones(9, np.uint8)}, 'expected uint8'),
    ({'query_labels': np.eye(5)[:3, [0] * 9].T}, 'labels of shapes'),
    ({'query_labels': np.arange(3)}, 'shapes do not fit'),
    ({'query_relaxed': np.ones((9, 3))}, 't of shape'),
  ],
)  # fmt: skip
def test_codes_that_do_not_fit_are_one_sentence(change, expected):
  (query, query_labels), (database, labels) = codes(0, 9), codes(1, 40)
  arguments = {
    'query_codes': query,
    'query_labels': query_labels,
    'database_codes': database,
    'database_labels': labels,
  }
  with pytest.raises(nph_jax.UserError, match=expected):
    nph_jax.evaluate(**{**arguments, **change})


def test_every_name_is_there():
  for name in nph_jax.__all__:
    assert name in dir(nph_jax)
    assert getattr(nph_jax, name).__doc__
  assert nph_jax.Index.__name__ == 'VideoIndex'
  with pytest.raises(AttributeError, match='no attribute nothing'):
    _ = nph_jax.nothing
