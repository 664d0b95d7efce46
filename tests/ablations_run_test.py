"""Two ablations from data to bundle: one without a neighbourhood, one with."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from nph_jax.data import moving_digits
from nph_jax.export import load_hasher
from nph_jax.retrieval import evaluation

VIDEOS = {'train': 256, 'query': 60, 'database': 200}
NUM_FRAMES, CANVAS = 4, 9


SIZES = (
  f'--config.data.num_frames={NUM_FRAMES}',
  f'--config.data.canvas={CANVAS}',
  *(f'--config.data.{k}.num_videos={v}' for k, v in VIDEOS.items()),
  '--config.method_options.memory_width=32',
  '--config.model.hidden_width=32',
  '--config.neighborhood.width=32',
  '--config.neighborhood.num_steps=100',
  '--config.train.num_steps=1000',  # at 300, Plain has one code for all
)


def run(method, *flags):
  """The main job by its switch, as a person runs it."""
  config = f'--config=configs/moving_digits.py:{method},bits=16'
  process = subprocess.run(
    [sys.executable, '-m', 'nph_jax.main', config, *SIZES, *flags],
    cwd=pathlib.Path(__file__).parents[1],
    capture_output=True,
    text=True,
  )
  assert process.returncode == 0, process.stderr[-2000:]


def videos(split):
  return moving_digits.make_videos(
    split, 0, VIDEOS[split], seed=0, num_frames=NUM_FRAMES, canvas=CANVAS
  )


def map_at_20(query, database):
  result = evaluation.evaluate_codes(
    query, videos('query')[1], database, videos('database')[1], ks=(20,)
  )
  chosen = {'denominator': 'min_rk', 'ties': 'expected'}
  (value,) = (
    row['value'] for row in result.map if chosen.items() <= row.items()
  )
  return value


@pytest.fixture(scope='module')
def random_map():
  """The best of ten draws of random codes."""
  draw = np.random.default_rng(0)
  codes = lambda split: draw.integers(0, 256, (VIDEOS[split], 2), np.uint8)  # noqa: E731
  return max(map_at_20(codes('query'), codes('database')) for _ in range(10))


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  return tmp_path_factory.mktemp('data')


@pytest.mark.parametrize(
  'method', ['plain', pytest.param('neibcat', marks=pytest.mark.slow)]
)
def test_beats_random_codes_and_leaves_a_bundle(
  method, data_dir, tmp_path, random_map
):
  run(method, f'--workdir={tmp_path}', f'--config.data.dir={data_dir}')
  query, database = (
    np.load(tmp_path / 'codes' / f'{split}.npy')
    for split in ('query', 'database')
  )
  assert map_at_20(query, database) > 2 * random_map
  frames = videos('query')[0].astype(np.float16)
  found = load_hasher(tmp_path / 'export').encode(frames)
  np.testing.assert_array_equal(found, query)
  assert (tmp_path / 'neighborhood').exists() == (method == 'neibcat')
  log = (tmp_path / 'logs' / method / 'metrics.jsonl').read_text().splitlines()
  terms = {k for k in json.loads(log[-1]) if k.startswith('loss/')}
  similarity = {'loss/similarity', 'loss/quantization'}
  assert terms == {'loss/visual'} | (
    similarity if method == 'neibcat' else set()
  )
