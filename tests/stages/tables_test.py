"""What is computed before training: once, shared, and never of another run."""

import digits_runs
import numpy as np
import pytest

from nph_jax import errors, train
from nph_jax.stages import prepare, tables, training
from nph_jax.stages.job import open_job

STEPS = 4
DIGITS = digits_runs.Digits(
  {'train': 64, 'query': 8, 'database': 20}, seed=0, num_frames=3, canvas=9
)


def digits_config(root, name='nph_paper', **values):
  """A tiny set; its data and neighbourhood are shared under `root`."""
  config = DIGITS.config(name, root / 'data', num_epochs=100)
  config.neighborhood.dir = str(root / 'neighborhood')
  config.neighborhood.width, config.neighborhood.num_steps = 8, STEPS
  config.model.hidden_width = 8
  if 'memory_width' in config.method_options:
    config.method_options.memory_width = 8
  for key, value in values.items():
    config.update_from_flattened_dict({key.replace('__', '.'): value})
  return config


@pytest.fixture(scope='module')
def root(tmp_path_factory):
  return tmp_path_factory.mktemp('root')


def prepared(root, workdir, **values):
  found = open_job(digits_config(root, **values), str(workdir))
  prepare.run(found)
  return found


@pytest.fixture(scope='module')
def first(root, tmp_path_factory):
  return prepared(root, tmp_path_factory.mktemp('first') / 'run')


def kept(job_):
  """Times of the neighbourhood's files."""
  folder = tables.neighborhood_folder(job_)
  return {path: path.stat().st_mtime_ns for path in folder.rglob('*.h5')}


def test_a_shared_folder_holds_all_that_the_workdir_would(first):
  folder = tables.neighborhood_folder(first)
  assert folder.parent.name == 'neighborhood'
  assert not (first.workdir.root / 'neighborhood').exists()
  names = {path.name for path in folder.iterdir()}
  assert names == {
    'anchors.h5',
    'latent_feats.h5',
    'neighborhood.json',
    'train_assit.h5',
  }


@pytest.mark.parametrize(
  'values',
  [
    {'name': 'nph_minus'},
    {'num_bits': 32},
    {'train__learning_rate': 0.1},
    {'method_options__pairs': 'memory_bank'},
    {'checkpoint__every_steps': 3},
  ],
)
def test_another_method_of_the_same_seed_shares_it(
  first, root, tmp_path, values
):
  before = kept(first)
  second = prepared(root, tmp_path / 'run', **values)
  assert kept(second) == kept(first) == before
  np.testing.assert_array_equal(
    tables.neighborhood(second)['anchors'],
    tables.neighborhood(first)['anchors'],
  )


@pytest.mark.parametrize(
  'values',
  [
    {'seed': 1},
    {'data__train__num_videos': 65},
    {'neighborhood__width': 9},
    {'neighborhood__num_anchors': 7},
    {'model__forget_bias': 0.0},
    {'train__batch_size': 8},
  ],
)
def test_what_the_neighbourhood_depends_on_has_a_folder_of_its_own(
  first, root, tmp_path, values
):
  other = open_job(digits_config(root, **values), str(tmp_path / 'run'))
  assert tables.neighborhood_folder(other) != tables.neighborhood_folder(first)
  assert tables.neighborhood_stamp(other) is None
  with pytest.raises(errors.UserError, match='run the stage prepare first'):
    tables.tables(other)


def test_other_anchors_share_the_autoencoder(first, root, tmp_path):
  folder = tables.feature_folder(first)
  assert folder.parent == tables.neighborhood_folder(first).parent
  before = [(p, p.stat().st_mtime_ns) for p in sorted(folder.rglob('*'))]
  assert before
  other = prepared(root, tmp_path / 'run', neighborhood__num_anchors=8)
  assert tables.feature_folder(other) == folder
  assert len(tables.neighborhood(other)['anchors']) == 8
  assert [(p, p.stat().st_mtime_ns) for p, _ in before] == before
  wider = open_job(
    digits_config(root, neighborhood__width=9), str(tmp_path / 'wider')
  )
  assert tables.feature_folder(wider) != folder


def test_a_damaged_stamp_is_an_error(first):
  path = tables.neighborhood_folder(first) / 'neighborhood.json'
  content = path.read_bytes()
  for damaged in (b'', b'[]', b'{}'):
    path.write_bytes(damaged)
    with pytest.raises(errors.UserError, match='neighborhood.json: is damaged'):
      tables.neighborhood_stamp(first)
  path.write_bytes(content)
  assert tables.neighborhood_stamp(first)['num_nearest'] == 1


@pytest.fixture
def itq(root, tmp_path):
  return open_job(digits_config(root, 'itq'), str(tmp_path / 'run'))


def test_what_a_method_fits_is_computed_once(itq, root, tmp_path, monkeypatch):
  fitted = tables.tables(itq)
  assert set(fitted) == {'mean', 'projection', 'threshold'}
  again = open_job(digits_config(root, 'itq'), str(tmp_path / 'again'))
  for name, value in tables.tables(again).items():
    np.testing.assert_array_equal(value, fitted[name])
  monkeypatch.setattr(type(itq.method), 'fit_tables', None)
  for name, value in tables.tables(itq).items():
    np.testing.assert_array_equal(value, fitted[name])


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04', b'x' * 400])
def test_damaged_tables_are_an_error(itq, content):
  tables.tables(itq)
  (itq.workdir.root / 'tables.npz').write_bytes(content)
  with pytest.raises(errors.UserError, match='tables.npz: is damaged'):
    tables.tables(itq)


def test_without_fitting_nothing_is_written(itq):
  assert tables.tables(itq, fit=False) == {}
  assert not (itq.workdir.root / 'tables.npz').exists()


def test_a_cpu_takes_one_step_a_call(root, tmp_path, monkeypatch):
  given = []
  monkeypatch.setattr(train, 'fit', lambda run, *rest: given.append(run))
  training.run(prepared(root, tmp_path / 'run'))
  (run,) = given
  assert run.steps_per_call == 1 and not run.ahead
