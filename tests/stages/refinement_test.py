"""Alternating refinement: a run whose y is the relaxed code of another one."""

import json
import shutil

import digits_runs
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nph_jax import errors, pipeline
from nph_jax.export import bundle, load_hasher
from nph_jax.neighborhood import side_files
from nph_jax.stages import bundling, prepare, tables, training
from nph_jax.stages.job import open_job

DIGITS = digits_runs.Digits(
  {'train': 96, 'query': 10, 'database': 40}, seed=1, num_frames=3, canvas=9
)
BITS, WIDTH, NUM_ANCHORS, NUM_NEAREST = 16, 8, 7, 2


@pytest.fixture(scope='module')
def root(tmp_path_factory):
  return tmp_path_factory.mktemp('refinement')


def config(root, method='nph_paper', run=''):
  """A tiny run; data and neighbourhoods are shared under `root`."""
  found = DIGITS.config(method, root / 'data', BITS, num_steps=12)
  found.model.hidden_width = WIDTH
  if 'memory_width' in found.method_options:
    found.method_options.memory_width = WIDTH
  section = found.neighborhood
  section.dir, section.run = str(root / 'neighborhood'), str(run)
  section.width, section.num_epochs, section.num_steps = WIDTH, 0, 4
  section.num_anchors, section.num_nearest = NUM_ANCHORS, NUM_NEAREST
  return found


def run(root, workdir, **values):
  pipeline.run(config(root, **values), str(workdir), tuple(pipeline.STAGES))
  return workdir


@pytest.fixture(scope='module')
def first(root):
  """A finished run of another method than those that refine it."""
  return run(root, root / 'first', method='itq')


@pytest.fixture(scope='module')
def second(root, first):
  return run(root, root / 'second', run=first)


@pytest.fixture(scope='module')
def opened(root, first, second):
  return open_job(config(root, run=first), str(second))


def y_of(hasher, split):
  t = hasher.encode_relaxed(DIGITS.split(split)[0])[1].astype(np.float64)
  return t / np.linalg.norm(t, axis=1, keepdims=True)


def nearest(y, anchors):
  """Rows of the nearest anchors, nearest first."""
  squared = np.square(y[:, None] - anchors).sum(axis=-1)
  return np.argsort(squared, axis=1, kind='stable')[:, :NUM_NEAREST]


def test_anchors_and_s_are_of_the_first_runs_t(first, opened):
  folder = tables.neighborhood_folder(opened)
  y = y_of(load_hasher(first / 'export'), 'train')
  with h5py.File(folder / 'latent_feats.h5') as file:
    stored = file['feats'][:]
  np.testing.assert_allclose(stored, y, atol=1e-5)
  anchors = side_files.read_anchors(folder / 'anchors.h5')
  assert anchors.shape == (NUM_ANCHORS, BITS)
  indices = side_files.read_anchor_indices(
    folder / 'train_assit.h5', NUM_ANCHORS
  )
  np.testing.assert_array_equal(indices, nearest(stored, anchors))
  assert not (folder / 'autoencoder').exists()


def test_the_hasher_is_that_of_evaluation_and_of_its_parts(
  first, second, opened
):
  hasher = load_hasher(second / 'export')
  anchors = np.asarray(tables.neighborhood(opened)['anchors'])
  state = training.trained_state(opened)
  assert state.step == 12
  variables = opened.method.inference_variables(state.params, state.collections)
  for split in ('query', 'database'):
    frames = DIGITS.split(split)[0]
    codes, relaxed = hasher.encode_relaxed(frames)
    evaluated = np.load(second / 'codes' / f'{split}.npy')
    np.testing.assert_array_equal(codes, evaluated)
    rows = nearest(y_of(load_hasher(first / 'export'), split), anchors)
    expected = jax.jit(opened.method.relaxed_code)(
      variables, jnp.asarray(frames, jnp.float32), anchors[rows]
    )
    np.testing.assert_allclose(relaxed, expected, rtol=1e-4, atol=1e-5)


def test_the_bundle_holds_all_that_the_first_one_does(first, second):
  with (
    np.load(first / 'export' / 'parameters.npz') as old,
    np.load(second / 'export' / 'parameters.npz') as new,
  ):
    for name in old:
      np.testing.assert_array_equal(
        new[f'autoencoder/encoder/{name}'], old[name]
      )


def test_a_refined_run_can_be_refined_in_turn(root, second, opened):
  third = open_job(config(root, run=second), str(root / 'third'))
  assert tables.neighborhood_key(third) != tables.neighborhood_key(opened)
  prepare.run(third)
  training.run(third)
  made = bundling.trained_bundle(third)
  parents = 'autoencoder/encoder/autoencoder/encoder/method/'
  assert any(name.startswith(parents) for name in made.parameters)
  y = y_of(load_hasher(second / 'export'), 'train')
  with_nearest = tables.neighborhood(third)
  np.testing.assert_array_equal(
    with_nearest['anchor_indices'],
    nearest(y, np.asarray(with_nearest['anchors'])),
  )
  frames = DIGITS.split('query')[0]
  assert made.load().encode(frames).shape == (len(frames), BITS // 8)


def test_the_report_names_the_first_run(first, second):
  digest = load_hasher(first / 'export').digest
  assert f'y is t of {first}, {digest}.' in (second / 'report.md').read_text()


@pytest.fixture
def elsewhere(first, tmp_path):
  """The first run's bundle in another place."""
  shutil.copytree(first / 'export', tmp_path / 'moved' / 'export')
  return tmp_path / 'moved'


def change(folder):
  """Makes the bundle one of other parameters."""
  hasher = load_hasher(folder / 'export')
  with np.load(folder / 'export' / 'parameters.npz') as old:
    parameters = {name: value * 1.5 for name, value in old.items()}
  program = (folder / 'export' / 'hasher.stablehlo').read_bytes()
  bundle.write(
    bundle.Bundle(program, parameters, hasher.manifest), folder / 'export'
  )


def kept(workdir):
  files = [p for p in workdir.rglob('*') if p.is_file()]
  return {p: p.stat().st_mtime_ns for p in files if p.name != 'config.json'}


def test_the_same_bundle_in_another_place_changes_nothing(
  root, second, opened, elsewhere
):
  before = kept(second)
  run(root, second, run=elsewhere)
  assert kept(second) == before
  moved = open_job(config(root, run=elsewhere), str(second))
  assert tables.neighborhood_key(moved) == tables.neighborhood_key(opened)


def test_a_first_run_that_changed_is_noticed(root, second, opened, elsewhere):
  change(elsewhere)
  changed = config(root, run=elsewhere)
  before = kept(second)
  with pytest.raises(errors.UserError, match='another hasher than the one'):
    pipeline.run(changed, str(second), tuple(pipeline.STAGES))
  assert kept(second) == before
  fresh = open_job(changed, str(elsewhere / 'fresh'))
  assert tables.neighborhood_folder(fresh) != tables.neighborhood_folder(opened)
  assert tables.neighborhood_stamp(fresh) is None


def test_a_run_cannot_be_refined_into_itself(root, second):
  with pytest.raises(errors.UserError, match='another hasher than the one'):
    run(root, second, run=second)
  with pytest.raises(errors.UserError, match='another hasher than the one'):
    run(root, second)


def complaint(found, tmp_path):
  with pytest.raises(errors.UserError) as caught:
    open_job(found, str(tmp_path / 'run'))
  assert not (tmp_path / 'run').exists()
  text = str(caught.value)
  assert '\n' not in text
  return text


def test_a_run_that_is_missing_or_not_exported_is_named(root, tmp_path):
  missing = tmp_path / 'none'
  text = complaint(config(root, run=missing), tmp_path)
  assert f'config.neighborhood.run={missing}: has no folder export/' in text
  (tmp_path / 'begun' / 'checkpoints').mkdir(parents=True)
  text = complaint(config(root, run=tmp_path / 'begun'), tmp_path)
  assert 'name the workdir of a finished run' in text


def test_a_damaged_bundle_is_named(root, elsewhere, tmp_path):
  path = elsewhere / 'export' / 'manifest.json'
  path.write_text(json.dumps({**json.loads(path.read_text()), 'digests': {}}))
  text = complaint(config(root, run=elsewhere), tmp_path)
  assert str(elsewhere / 'export') in text and 'is damaged' in text


def test_a_run_on_other_frames_is_named(root, first, tmp_path):
  wider = config(root, run=first)
  wider.data.canvas = 10
  text = complaint(wider, tmp_path)
  assert 'reads 3 frames of width 81, but the data have 3 of width 100' in text


def test_a_method_without_a_neighbourhood_ignores_it(root, tmp_path):
  found = config(root, method='itq', run=tmp_path / 'none')
  assert open_job(found, str(tmp_path / 'run')).refined is None
