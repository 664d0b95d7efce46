"""The command line: one run end to end, and a sentence for every mistake."""

import concurrent.futures
import csv
import json
import os
import re

import numpy as np
import programs
import pytest
import scipy.io

from nph_jax import config_files, configuration, errors, pipeline
from nph_jax.data import moving_digits
from nph_jax.export import load_hasher
from nph_jax.retrieval import evaluation

DIGITS = 'configs/moving_digits.py'
NUM_FRAMES, CANVAS, SEED, STEPS = 3, 9, 5, 6
VIDEOS = {'train': 64, 'query': 21, 'database': 50}
SIZES = (
  f'--config.data.num_frames={NUM_FRAMES}',
  f'--config.data.canvas={CANVAS}',
  *(f'--config.data.{k}.num_videos={v}' for k, v in VIDEOS.items()),
  '--config.neighborhood.width=16',
  f'--config.neighborhood.num_steps={STEPS}',
  '--config.method_options.memory_width=16',
  '--config.model.hidden_width=16',
  f'--config.train.num_steps={STEPS}',
  '--config.export.block_size=16',
)


def run(*arguments, **environment):
  """Exit code, stdout and stderr of the job, as a person runs it."""
  done = programs.run(
    '-m', 'nph_jax.main', *arguments, cwd=programs.ROOT, **environment
  )
  return done.returncode, done.stdout, done.stderr


def digits(workdir, *arguments, seed=SEED):
  return (
    f'--config={DIGITS}:nph_paper,bits=16',
    f'--workdir={workdir}',
    f'--config.seed={seed}',
    *SIZES,
    *arguments,
  )


WITHOUT_EXPORT = '--stages=prepare,train,evaluate'


@pytest.fixture(scope='module')
def root(tmp_path_factory):
  """Folder of `run`, made by all stages, and of `other`, of another seed."""
  folder = tmp_path_factory.mktemp('root')
  both = (
    digits(folder / 'run'),
    digits(folder / 'other', WITHOUT_EXPORT, seed=SEED + 1),
  )
  with concurrent.futures.ThreadPoolExecutor() as threads:
    ended = list(threads.map(lambda flags: run(*flags), both))
  for code, _, stderr in ended:
    assert code == 0, stderr
  (folder / 'stdout').write_text(ended[0][1])
  return folder


@pytest.fixture(scope='module')
def workdir(root):
  return root / 'run'


@pytest.fixture(scope='module')
def metrics(workdir):
  return json.loads((workdir / 'metrics.json').read_text())


def videos(split):
  """Frames and labels as the run made them."""
  return moving_digits.make_videos(
    split, 0, VIDEOS[split], seed=SEED, num_frames=NUM_FRAMES, canvas=CANVAS
  )


def codes(workdir, split):
  return np.load(workdir / 'codes' / f'{split}.npy')


def test_all_outputs_are_there(workdir):
  assert sorted(path.name for path in workdir.iterdir()) == [
    'checkpoints',
    'codes',
    'config.json',
    'data',
    'export',
    'logs',
    'metrics.json',
    'neighborhood',
    'pr_curve.csv',
    'pr_curve.png',
    'report.md',
    'stages.json',
  ]
  assert (workdir / 'pr_curve.png').read_bytes()[1:4] == b'PNG'
  assert sorted(os.listdir(workdir / 'codes')) == [
    'database.npy',
    'query.npy',
    'query_relaxed.npy',
  ]


def test_says_what_came_out_and_what_to_try_next(root, workdir):
  stdout = (root / 'stdout').read_text()
  assert 'nph_paper, 16 bits, moving_digits' in stdout
  assert 'mAP@5' in stdout and 'mAP@40' in stdout and 'mAP@60' not in stdout
  assert f'report: {workdir}/report.md' in stdout
  assert f'--bundle={workdir}/export --out={workdir}/index' in stdout


def test_metrics_say_of_what_they_are(metrics):
  assert metrics['dataset'] == 'moving_digits'
  assert metrics['method'] == 'nph_paper'
  assert metrics['num_bits'] == 16
  assert metrics['seed'] == SEED
  assert metrics['splits'] == VIDEOS


def test_metrics_have_every_protocol_for_every_k(metrics):
  protocol = 'ranking', 'denominator', 'ties', 'exclude_self'
  assert all(set(row) == {'k', *protocol, 'value'} for row in metrics['map'])
  found = sorted(
    tuple(row[name] for name in ('k', *protocol)) for row in metrics['map']
  )
  # The database has 50 videos, and no query is among them.
  assert found == sorted(
    (k, ranking, denominator, ties, False)
    for k in (5, 10, 20, 40)
    for ranking in ('hamming', 'asymmetric')
    for denominator in ('min_rk', 'k')
    for ties in ('stable', 'expected')
  )


def test_codes_are_packed_bytes_in_file_order(workdir):
  for split in ('query', 'database'):
    packed = codes(workdir, split)
    assert packed.dtype == np.uint8 and packed.shape == (VIDEOS[split], 2)
  assert len(np.unique(codes(workdir, 'database'), axis=0)) > 5


def test_metrics_follow_from_the_codes(workdir, metrics):
  scored = evaluation.evaluate_codes(
    codes(workdir, 'query'),
    videos('query')[1],
    codes(workdir, 'database'),
    videos('database')[1],
    query_relaxed=codes(workdir, 'query_relaxed'),
  )
  assert metrics['map'] == scored.map
  with open(workdir / 'pr_curve.csv', newline='') as file:
    rows = list(csv.DictReader(file))
  assert [int(row['radius']) for row in rows] == list(range(17))
  for row, expected in zip(rows, scored.pr_curve):
    assert float(row['precision']) == expected['precision']
    assert float(row['recall']) == expected['recall']


def test_report_names_protocols_and_neighbourhood(workdir, metrics):
  text = (workdir / 'report.md').read_text()
  assert 'min_rk' in text and 'expected' in text and 'anchors (n)' in text
  assert f'{metrics["map"][0]["value"]:.4f}' in text


def test_logs_name_each_loss_term(workdir):
  lines = (
    (workdir / 'logs' / 'nph_paper' / 'metrics.jsonl').read_text().splitlines()
  )
  last = json.loads(lines[-1])
  assert last['step'] == STEPS and last['videos_per_second'] > 0
  terms = ('similarity', 'visual', 'neighborhood')
  weighted = sum(
    weight * last[f'loss/{name}']
    for weight, name in zip((0.1, 0.8, 0.1), terms)
  )
  assert last['loss'] == pytest.approx(weighted, rel=1e-5)


@pytest.mark.parametrize('split', ['query', 'database'])
def test_the_bundle_gives_the_evaluated_codes(workdir, split):
  frames = videos(split)[0]
  hasher = load_hasher(workdir / 'export')
  np.testing.assert_array_equal(hasher.encode(frames), codes(workdir, split))
  one_by_one = [hasher.encode(frames[i : i + 1]) for i in range(len(frames))]
  np.testing.assert_array_equal(
    np.concatenate(one_by_one), codes(workdir, split)
  )


def test_another_seed_gives_other_codes(root, workdir, metrics):
  # That the same gives the same, tests/whole_run_test.py sees.
  assert not (root / 'other' / 'export').exists()  # left out of its stages
  for split in ('query', 'database'):
    other = codes(root / 'other', split)
    assert not np.array_equal(other, codes(workdir, split))
  other = json.loads((root / 'other' / 'metrics.json').read_text())
  assert other['seed'] == SEED + 1 and other['map'] != metrics['map']


def assert_one_sentence(code, stdout, stderr, expected):
  assert (code, stdout) == (1, ''), stderr
  *stages, sentence = stderr.splitlines()
  told = r'\d/\d [a-z]+|\w+, \d+ bits, \w+: .'
  assert all(re.match(told, line) for line in stages)
  assert sentence.startswith('error: ') and expected in sentence


@pytest.mark.parametrize(
  ('config', 'arguments', 'expected'),
  [
    (DIGITS, ['--config.x=1'], '--config.x is not a value of the config'),
    (DIGITS, ['--config.seed.x=1'], '--config.seed.x is not a value'),
    (
      DIGITS,
      ['--config.train.nun_steps=1', '--config.train.num_steps=1'],
      '--config.train.nun_steps is not a value',
    ),
    (DIGITS, ['--config.seed=one'], '--config.seed=one: invalid literal'),
    (DIGITS, ['--config.seed=1.5'], '--config.seed=1.5: invalid literal'),
    (DIGITS, ['--config.train=5'], '--config.train=5: Failed to parse'),
    (
      DIGITS,
      ['--config.train.num_epochs=2', '--config.train.num_steps=9'],
      'both --config.train.num_epochs and --config.train.num_steps',
    ),
    (DIGITS, ['--stages=prepare,fly'], "'fly' is none of prepare, train,"),
    (DIGITS, ['--stages='], '--stages= names none'),
    (DIGITS, ['stray'], "'stray' is not a flag"),
    (DIGITS, ['--bogus=1'], "Unknown command line flag 'bogus'"),
    (DIGITS, ['--workdir='], '--workdir= is empty'),
    (f'{DIGITS}:bits=x', [], "cannot read 'bits=x'"),
    (f'{DIGITS}:bits=12', [], 'config.num_bits is 12'),
    (f'{DIGITS}:foo', [], "config.method is 'foo'; choose one of"),
    ('nope.py', [], '--config=nope.py: the file is missing'),
    ('nope.py', ['--config.seed=1'], '--config=nope.py: the file is missing'),
    ('', [], '--config=: the file is missing'),
    ('configs', [], '--config=configs: '),
  ],
)
def test_a_wrong_flag_gets_one_sentence(tmp_path, config, arguments, expected):
  result = run(
    f'--config={config}', f'--workdir={tmp_path / "run"}', *arguments
  )
  assert_one_sentence(*result, expected)
  assert list(tmp_path.iterdir()) == []


def test_a_missing_config_gets_one_sentence():
  result = run('--workdir=run')
  assert_one_sentence(*result, '--config=FILE is missing')


def test_a_stage_refused_leaves_the_workdir_open(tmp_path):
  workdir = tmp_path / 'run'
  result = run(*digits(workdir), '--stages=train')
  assert_one_sentence(*result, 'run the stage prepare first')
  assert not (workdir / 'config.json').exists()


def test_without_a_workdir_results_go_to_runs():
  config = configuration.base('nph,bits=64')
  config.seed, config.data.name = 3, 'fcvid'
  expected = 'runs/fcvid-nph-64bits-seed3'
  assert configuration.default_workdir(config) == expected
  # Nothing is made where the data are missing: one sentence says which.
  result = run(
    '--config=configs/activitynet.py', '--config.data.source_dir=/nowhere'
  )
  assert_one_sentence(*result, 'train_feats.h5')
  assert not (programs.ROOT / 'runs' / 'activitynet-nph-32bits-seed0').exists()


@pytest.mark.parametrize(
  ('program', 'expected'),
  [
    ('def get_config(:', 'SyntaxError: invalid syntax (config.py, line 1)'),
    ('import nope', "ModuleNotFoundError: No module named 'nope'"),
    ('def get_config():\n  raise ValueError("too odd")', 'too odd'),
    ('def get_config():\n  raise ValueError()', 'ValueError'),
    ('x = 1', "no attribute 'get_config'"),
    (
      'import ml_collections\n'
      'def get_config():\n  return ml_collections.ConfigDict({"seed": 1})',
      'nph_jax.configuration.base',
    ),
  ],
)
def test_a_config_file_that_fails_gets_one_sentence(
  tmp_path, program, expected
):
  path = tmp_path / 'config.py'
  path.write_text(program)
  result = run(f'--config={path}', f'--workdir={tmp_path / "run"}')
  assert_one_sentence(*result, expected)
  assert f'--config={path}: ' in result[2]
  assert not (tmp_path / 'run').exists()


def load(path, **overrides):
  """A configuration as main checks it."""
  config = config_files.load(programs.ROOT / path, 'bits=16')
  config.update_from_flattened_dict(
    {key.replace('__', '.'): value for key, value in overrides.items()}
  )
  configuration.check(config)
  return config


def run_here(config, workdir, capsys):
  """Exit code, stdout and stderr of the job, flags read, in this process."""
  with pytest.raises(SystemExit) as exit_:
    errors.run_main(
      lambda: pipeline.run(config, str(workdir), tuple(pipeline.STAGES))
    )
  return exit_.value.code, *capsys.readouterr()


@pytest.mark.parametrize(
  ('path', 'overrides', 'expected'),
  [
    (
      DIGITS,
      {'neighborhood__num_anchors': 2001},
      'config.neighborhood.num_anchors is 2001, but there are only 2000',
    ),
    (
      DIGITS,
      {'neighborhood__num_anchors': 3, 'neighborhood__num_nearest': 4},
      'config.neighborhood.num_nearest is 4, but there are only 3 anchors',
    ),
    (
      DIGITS,
      {'train__batch_size': 2001},
      'config.train.batch_size is 2001, but there are only 2000',
    ),
    (
      DIGITS,
      {'neighborhood__batch_size': 2001},
      'config.neighborhood.batch_size is 2001, but there are only 2000',
    ),
    (DIGITS, {'data__train__num_videos': 9}, '9 training videos; expected'),
    (
      'configs/custom.py',
      {'data__query__features': 'gone.h5'},
      'not set: --config.data.train.features=PATH',
    ),
  ],
)
def test_what_the_data_make_impossible_gets_one_sentence(
  tmp_path, capsys, path, overrides, expected
):
  config = load(path, **overrides)
  assert_one_sentence(*run_here(config, tmp_path / 'run', capsys), expected)
  assert list(tmp_path.iterdir()) == []


def test_a_batch_that_devices_cannot_share_gets_one_sentence(tmp_path):
  result = run(
    *digits(tmp_path / 'run', '--config.train.batch_size=16'),
    XLA_FLAGS='--xla_force_host_platform_device_count=3',
  )
  expected = 'config.train.batch_size is 16, which does not divide evenly'
  assert_one_sentence(*result, expected)
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('stage', ['train', 'evaluate', 'export'])
def test_a_stage_without_the_one_before_says_which(tmp_path, stage):
  with pytest.raises(errors.UserError, match='run the stage prepare first'):
    pipeline.run(load(DIGITS), str(tmp_path / 'run'), (stage,))
  assert not (tmp_path / 'run' / 'metrics.json').exists()


def test_nan_in_a_feature_file_names_file_and_video(tmp_path, capsys):
  rng, paths = np.random.default_rng(0), {}
  for split in ('train', 'query', 'database'):
    frames = rng.standard_normal((20, 2, 4)).astype(np.float32)
    if split == 'database':
      frames[17, 1, 3] = np.nan
    features, labels = tmp_path / f'{split}.npy', tmp_path / f'{split}.mat'
    np.save(features, frames)
    scipy.io.savemat(labels, {'labels': np.eye(4)[np.arange(20) % 4]})
    paths[f'data__{split}__features'] = str(features)
    paths[f'data__{split}__labels'] = str(labels)
  config = load('configs/custom.py', **paths)
  result = run_here(config, tmp_path / 'run', capsys)
  assert_one_sentence(*result, 'database.npy: video 17 (counting from 0)')
  assert list((tmp_path / 'run').rglob('*.tfrecord*')) == []
