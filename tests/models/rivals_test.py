"""What rivals of NPH owe the trainer, the exporter and the job."""

import dataclasses
import functools
import pathlib
import subprocess
import sys

import basics
import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
import rival_reference as reference

from nph_jax import train, train_state
from nph_jax.export import bundle

# The trainer's, run in this process.
pytestmark = pytest.mark.filterwarnings('ignore:optax.global_norm')

N, B, M, L, K = 64, 32, 6, 12, 16
RIVALS = ('ssth', 'jtae', 'ssvh')
LATER = ('udvh', 'bth', 'dkph', 'conmh', 'autossvh', 's5vh', 'wsch')
# With statistics, draws or a memory of the batch.
ACROSS_DEVICES = (
  ('plain_bn', 'conmh'),
  pytest.param(
    ('ssth', 'ssvh', 'fullcnn_bn', *(n for n in LATER if n != 'conmh')),
    marks=pytest.mark.slow,
  ),
)
CASES = (
  ('ssth', 1), ('ssth', 2), ('jtae', 1), ('ssvh', 1),
  ('conmh', 1), ('udvh', 1),
  *(
    pytest.param((name, 1), marks=pytest.mark.slow)
    for name in ('bth', 'dkph', 's5vh', 'wsch')
  ),
)  # fmt: skip


def make(name, layers):
  options = {'layers': layers} if name == 'ssth' else {}
  options.update(methods.SMALL)
  return methods.make(name, K, M, L, hidden_width=16, **options)


def videos(count=N, seed=0):
  """Frames that move away from one of four centres, [count, M, L]."""
  rng = np.random.default_rng(seed)
  centres, speeds = np.random.default_rng(9).normal(size=(2, 4, 1, L))
  kind = rng.integers(0, 4, count)
  times = np.linspace(-1, 1, M)[:, None]
  frames = centres[kind] + times * speeds[kind]
  frames = frames + 0.2 * rng.normal(size=frames.shape)
  return frames.astype(np.float32)


def tables_of(method, frames):
  tables = method.fit_tables(methods.features(frames), jax.random.key(0))
  tables |= methods.anchors(method, len(frames))
  return {k: jnp.asarray(v) for k, v in tables.items()}


@pytest.fixture(scope='module', params=CASES, ids=str)
def trained(request):
  """A method, its state after 40 steps, and the metrics of every step."""
  method, frames = make(*request.param), videos()
  tables = tables_of(method, frames)
  optimizer = train_state.adam(1e-3, 0.9)
  state = train_state.create(method, optimizer, jax.random.key(0), tables)
  step = functools.partial(
    train.train_step,
    method=method,
    optimizer=optimizer,
    key=jax.random.key(0),
    resident=jnp.asarray(frames),
  )
  rng = np.random.default_rng(1)
  index = np.stack([rng.permutation(N)[:B] for _ in range(40)])
  state, metrics = jax.jit(
    lambda state, batches: jax.lax.scan(
      lambda s, batch: step(s, tables, batch), state, batches
    )
  )(state, {'index': index})
  return method, state, metrics


def test_loss_falls_with_finite_gradients(trained):
  _, _, metrics = trained
  # The first epochs of SSVH only fill its memory.
  loss = np.asarray(metrics['loss'])[20:]
  assert loss[-4:].mean() < loss[:4].mean()
  assert np.isfinite(metrics['gradient_norm']).all()
  assert (np.asarray(metrics['gradient_norm']) > 0).all()


def test_every_parameter_gets_a_gradient(trained):
  _, state, _ = trained
  squares = state.opt_state[0].nu  # Adam's mean of the squared gradients
  for path, leaf in jax.tree_util.tree_leaves_with_path(squares):
    assert np.isfinite(leaf).all(), path
    assert np.abs(leaf).max() > 0, path


def test_code_does_not_depend_on_the_batch(trained):
  method, state, _ = trained
  variables = method.inference_variables(state.params, state.collections)
  encode = jax.jit(lambda v: method.relaxed_code(variables, v, None))
  frames = videos(6, seed=3)
  among = encode(np.concatenate([frames, 9 * videos(2, seed=4)]))[:6]
  alone = np.concatenate([encode(frames[i : i + 1]) for i in range(6)])
  np.testing.assert_allclose(among, alone, atol=1e-5)


def test_exported_code_is_the_sign_of_the_relaxed_one(trained):
  method, state, _ = trained
  variables = method.inference_variables(state.params, state.collections)
  assert not any('decode' in name for name in variables['params'])
  assert set(variables) <= {'params', 'batch_stats'}
  hasher = bundle.build(method, variables, None, 8, {}).load()
  frames = videos(11, seed=5).astype(np.float16)
  codes, relaxed = hasher.encode_relaxed(frames)
  expected = method.relaxed_code(variables, frames.astype(np.float32), None)
  np.testing.assert_allclose(relaxed, expected, atol=1e-5)
  np.testing.assert_array_equal(codes, np.packbits(relaxed >= 0, axis=1))
  assert 0 < (relaxed >= 0).mean() < 1


@pytest.mark.parametrize('name', RIVALS)
def test_bfloat16_products_change_the_loss_a_little(name):
  method, frames = make(name, 1), videos()
  tables = tables_of(method, frames)
  params, collections = basics.state(method.init, jax.random.key(0), tables)
  params = jax.tree.map(lambda x: np.asarray(x / 2, np.float32), params)
  half = dataclasses.replace(method.module.config, precision='bfloat16')
  rounded = dataclasses.replace(method, module=method.module.clone(config=half))
  batch = {'frames': frames[:B], 'index': np.arange(B)}
  state = params, collections, batch, tables
  _, exact, _ = reference.loss(method, *state)
  _, found, _ = reference.loss(rounded, *state)
  for term in ('forward', 'reverse'):
    # A bit that flips changes a video's frames altogether.
    np.testing.assert_allclose(found[term], exact[term], rtol=0.1)
    assert found[term] != exact[term]


@pytest.mark.parametrize('names', ACROSS_DEVICES, ids='-'.join)
def test_four_devices_equal_one(names, tmp_path):
  out = tmp_path / 'out.npz'
  worker = pathlib.Path(__file__).with_name('rival_worker.py')
  subprocess.run([sys.executable, worker, out, *names], check=True)
  devices = dict(np.load(out))
  for name in names:
    one, four = (
      {
        k.removeprefix(start): v
        for k, v in devices.items()
        if k.startswith(start)
      }
      for start in (f'{name} one ', f'{name} four ')
    )
    assert one and one.keys() == four.keys()
    np.testing.assert_allclose(four["['losses']"], one["['losses']"], rtol=1e-5)
    for path, value in one.items():
      np.testing.assert_allclose(
        four[path], value, rtol=2e-4, atol=2e-5, err_msg=f'{name} {path}'
      )
