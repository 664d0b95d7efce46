"""Every file of configs/: loads, follows the schema, says what it needs."""

import ast
import pathlib
import runpy
import types

import jax
import numpy as np
import pytest

from nph_jax import (
  atomic,
  config_files,
  configuration,
  errors,
  pipeline,
  workdir,
)
from nph_jax.models import registry
from nph_jax.stages import prepare
from nph_jax.stages.job import open_job

FOLDER = pathlib.Path(__file__).parent.parent / 'configs'
PUBLISHED = ('activitynet', 'fcvid', 'hmdb51', 'ucf101', 'yfcc')
NAMES = sorted((*PUBLISHED, 'custom', 'moving_digits'))
SPLITS = ('train', 'query', 'database')
get_config = config_files.load


def flat(config):
  """Dotted names and types of all values."""
  if not isinstance(config, configuration.ConfigDict):
    return {'': type(config)}
  return {
    f'{key}.{rest}'.rstrip('.'): kind
    for key in config
    for rest, kind in flat(config[key]).items()
  }


def test_one_config_for_each_data_set():
  assert sorted(path.stem for path in FOLDER.glob('*.py')) == NAMES
  assert config_files.names() == NAMES


def test_a_path_comes_before_a_name(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert config_files.find('fcvid') == FOLDER / 'fcvid.py'
  mine = tmp_path / 'mine.py'
  mine.write_text('def get_config(arg): return arg')
  assert get_config('mine.py', 'nph') == 'nph'
  with pytest.raises(errors.UserError, match='--config=mine: .* fcvid, hmdb51'):
    config_files.find('mine')
  mine.rename('fcvid')
  assert get_config('fcvid', 'x') == 'x'


@pytest.mark.parametrize('name', NAMES)
def test_follows_the_schema_and_is_valid(name):
  config = get_config(name)
  assert flat(config) == flat(configuration.base())
  assert config.data.name == name
  configuration.check(config)


@pytest.mark.parametrize('name', NAMES)
def test_argument_chooses_method_and_bits(name):
  config = get_config(name, 'ssth,bits=8')
  assert (config.method, config.num_bits) == ('ssth', 8)
  with pytest.raises(errors.UserError, match='cannot read .*METHOD,bits='):
    get_config(name, 'features=other')


def test_a_method_has_what_its_authors_set_for_the_data_set():
  config = get_config('fcvid', 'conmh,bits=64')
  options, train = config.method_options, config.train
  assert options.mask_ratio == 0.75 and options.weights.contrast == 1
  assert (train.batch_size, train.num_epochs) == (512, 805)
  assert (train.learning_rate, train.decay_epochs) == (1e-4, 20)
  other = get_config('activitynet', 'autossvh,features=resnet50')
  assert other.method_options.clusters == (250, 400, 600)
  assert other.method_options.positive_prior == 0.05
  assert get_config('fcvid', 'nph').train == configuration.base('nph').train


def test_own_files_take_the_longer_length_and_leave_self_out():
  config = get_config('custom')
  assert configuration.num_steps(config.train, 3) == 1000
  assert configuration.num_steps(config.train, 50) == 5000
  assert config.eval.exclude_self


@pytest.mark.parametrize('modes, shown', [((0, 1), 1), ((0,), 0)])
def test_the_printed_table_leaves_self_out_where_it_is(tmp_path, modes, shown):
  row = {'k': 5, 'denominator': 'k', 'ties': 'expected'}
  found = [{**row, 'exclude_self': bool(m), 'value': m / 4} for m in modes]
  about = {'method': 'nph', 'num_bits': 8, 'dataset': 'custom'}
  atomic.write_json(tmp_path / 'metrics.json', {**about, 'map': found})
  database = types.SimpleNamespace(features=('mine.h5',))
  job = types.SimpleNamespace(
    workdir=workdir.Workdir(tmp_path),
    spec=types.SimpleNamespace(database=database),
  )
  text = pipeline._summary(job, exclude_self=True)
  assert (f'{shown / 4:.4f}' in text) and text.count('| hamming |') == 1


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_published_setting_makes_a_method(name):
  published = runpy.run_path(FOLDER / f'{name}.py')['_PUBLISHED']
  for method, values in published.items():
    config = get_config(name, method)
    configuration.check(config)
    for key, value in values.items():
      assert configuration.get(config, key) == value
    build(config)


def build(config):
  return registry.build(
    config.method,
    num_bits=config.num_bits,
    num_frames=config.data.num_frames,
    frame_dim=config.data.feature_dim,
    model=config.model.to_dict(),
    options=config.method_options.to_dict(),
  )


@pytest.mark.parametrize(
  'method, millions',
  [
    ('conmh', 12.249), ('autossvh', 12.254), ('wsch', 23.532),
    ('s5vh', 4.849), ('bth', 2.121),
  ],
)  # fmt: skip
def test_parameters_at_the_size_of_fcvid_are_the_originals(method, millions):
  config = get_config('fcvid', f'{method},bits=64')
  made, count = build(config), config.data.train.num_videos
  tables = made.table_shapes(count)
  if made.needs_neighborhood:
    tables['anchors'] = jax.ShapeDtypeStruct((2000, 256), np.float32)
  key = jax.random.key(0)
  params, _ = jax.eval_shape(made.init, key, tables)
  total = sum(x.size for x in jax.tree.leaves(params))
  assert round(total / 1e6, 3) == millions


@pytest.mark.parametrize('name', NAMES)
def test_model_and_losses_are_the_papers(name):
  config = get_config(name, 'nph_paper')
  options = config.method_options
  assert options.weights.to_dict() == {
    'similarity': 0.1,
    'visual': 0.8,
    'neighborhood': 0.1,
  }
  assert options.memory_width == config.neighborhood.width == 256
  assert options.attention.scale == 256
  assert config.train.learning_rate == 1e-3
  assert config.train.beta1 == 0.9
  assert config.neighborhood.kmeans_iterations == 10


@pytest.mark.parametrize('name', PUBLISHED)
def test_published_sets_train_for_the_papers_100_epochs(name):
  config = get_config(name)
  for section in (config.train, config.neighborhood):
    assert (section.num_epochs, section.num_steps) == (100, 0)
  num_videos = config.data.train.num_videos
  assert configuration.automatic_batch_size(num_videos) == 128


@pytest.mark.parametrize('name', ['fcvid', 'activitynet', 'yfcc'])
def test_paper_anchors_on_the_papers_training_sets(name):
  config = get_config(name)
  y = np.broadcast_to(np.float32(0), (config.data.train.num_videos, 1))
  setting = prepare.anchor_setting(y, config.neighborhood, seed=0)
  assert setting == (2000, 3)


def test_activitynet_offers_the_papers_features():
  public, paper = (
    get_config('activitynet', arg).data for arg in ('', 'features=vgg16,bits=8')
  )
  assert (public.num_frames, public.feature_dim) == (30, 2048)
  assert (paper.num_frames, paper.feature_dim) == (25, 4096)
  assert public.database.num_videos == 3_758
  assert paper.database.num_videos == 3_760
  assert public.train == paper.train


def test_splits_are_those_of_the_field():
  fcvid, yfcc = get_config('fcvid'), get_config('yfcc')
  assert fcvid.data.query == fcvid.data.database
  assert not fcvid.eval.exclude_self
  assert yfcc.eval.exclude_self
  shards = yfcc.data.train.features.split(',')
  assert shards == [f'yfcc_train_feats_{i}.h5' for i in range(1, 10)]
  for name in ('ucf101', 'hmdb51'):
    data = get_config(name).data
    assert data.database.features == data.train.features
    assert data.query.features != data.database.features


@pytest.mark.parametrize('name', PUBLISHED)
def test_docstring_names_files_sizes_and_source(name):
  data = get_config(name).data
  text = ast.get_docstring(ast.parse((FOLDER / f'{name}.py').read_text()))
  assert data.published.split()[-1] in text
  for split in (data[name] for name in SPLITS):
    for shards in filter(None, (split.features, split.labels)):
      assert shards.split(',')[0] in text
    count = split.num_videos
    assert f'{count}' in text or f'{count:,}' in text
  assert 'Expected mAP@K' in text and 'denominator K' in text


@pytest.mark.parametrize('name', PUBLISHED)
def test_without_data_the_files_and_their_source_are_named(
  name, tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  config = get_config(name)
  with pytest.raises(errors.UserError) as caught:
    open_job(config, 'results')
  message = str(caught.value)
  for split in (config.data[name] for name in SPLITS):
    for shards in filter(None, (split.features, split.labels)):
      for shard in shards.split(','):
        assert f'data/{name}/{shard}' in message
  assert config.data.published in message
  assert '\n' not in message
  assert not list(tmp_path.iterdir())


def test_training_in_float32_on_a_gpu_is_said_to_be_tf32(monkeypatch):
  job = types.SimpleNamespace(
    num_train=1000,
    method=types.SimpleNamespace(is_closed_form=False),
    config=configuration.base('nph'),
  )
  assert pipeline._remark(job, 'train') == ''
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  assert 'TF32' in pipeline._remark(job, 'train')
  assert pipeline._remark(job, 'evaluate') == ''
  job.config.model.precision = 'bfloat16'
  assert pipeline._remark(job, 'train') == ''
