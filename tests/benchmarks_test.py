"""The benchmark's counts, tables and command line; none of it needs PyTorch."""

import collections
import functools
import json
import math
import re
import statistics
import time

import jax
import numpy as np
import programs
import pytest

from benchmarks import __main__ as command
from benchmarks import (
  agreement,
  contenders,
  flops,
  fresh,
  gpu,
  kernels,
  machine,
  measuring,
  methods,
  profile,
  rates,
  sizes,
  step,
  table,
  videos,
)
from nph_jax import errors, train, train_state
from nph_jax.models import registry

SIZE = sizes.Size(batch=32, num_frames=3, frame_dim=1024, num_bits=64)
COUNTS = {False: flops.folded_step, True: flops.literal_step}
NAMES = ('ours float32', 'ours bfloat16', 'literal scan', 'PyTorch float32')


def traced_gradient(size, literal):
  """Parameters, and the program of loss and gradient as it was written."""
  method = contenders.nph(size, literal=literal, precision='float32')
  loss = functools.partial(method.loss, axis_name=None)
  tables, key = jax.eval_shape(sizes.tables), jax.random.key(0)
  params, collections = jax.eval_shape(method.init, key, tables)
  batch = {
    'frames': sizes.frames(size.batch, size).astype(np.float32),
    'index': np.arange(size.batch),
  }
  gradient = jax.make_jaxpr(jax.value_and_grad(loss, has_aux=True))
  arguments = {'batch': batch, 'tables': tables, 'key': key}
  return params, gradient(params, collections, **arguments).jaxpr


def equations(program, times=1):
  """(equation, how often it runs), those within others included."""
  for equation in read_equations(program):
    yield equation, times
    name, inner = equation.primitive.name, times
    if name == 'scan':
      inner *= equation.params['length']
    for value in equation.params.values():
      several = value if isinstance(value, tuple | list) else [value]
      parts = [getattr(v, 'jaxpr', v) for v in several]
      parts = [v for v in parts if hasattr(v, 'eqns')]
      # Of a choice by platform the first.
      for part in parts[:1] if name == 'cond' else parts:
        yield from equations(part, inner)


def read_equations(program):
  """Those whose results are read: the compiler drops gradients of the data."""
  read, kept = {id(v) for v in program.outvars}, []
  for equation in reversed(program.eqns):
    if any(id(v) in read for v in equation.outvars):
      read.update(map(id, equation.invars))
      kept.append(equation)
  return kept


def product_flops(program):
  """Of each product as often as it runs; a scalar is no matrix."""
  for equation, times in equations(program):
    shapes = [v.aval.shape for v in (*equation.invars, *equation.outvars)]
    if equation.primitive.name == 'dot_general' and all(shapes):
      (contracted, _), _ = equation.params['dimension_numbers']
      inner = math.prod(shapes[0][axis] for axis in contracted)
      yield 2 * inner * math.prod(shapes[-1]) * times


@pytest.mark.parametrize('literal', [False, True])
def test_flops_and_parameters_are_those_of_the_program(literal):
  params, program = traced_gradient(SIZE, literal)
  counted = flops.total_flops(COUNTS[literal](SIZE))
  assert counted == sum(product_flops(program))
  found = sum(x.size for x in jax.tree.leaves(params))
  assert flops.num_parameters(SIZE) == found


def test_gigaflops_at_fcvid_s_size():
  size = sizes.SIZES['fcvid']
  folded, literal = (
    flops.total_flops(count(size)) / 1e9 for count in COUNTS.values()
  )
  assert 95 < folded < 100
  assert 170 < literal < 175


def test_bytes_of_a_product_by_hand():
  product = flops.Product('x', rows=2, inner=3, columns=5, passes=2)
  assert product.flops == 2 * (2 * 3 * 5) * 2
  assert product.traffic(4) == 2 * 4 * (2 * 3 + 3 * 5 + 2 * 5)
  assert product.traffic(2) == 2 * (2 * (2 * 3 + 3 * 5) + 4 * 2 * 5)
  adam = 7 * 4 * flops.num_parameters(SIZE)
  frames = 6 * SIZE.batch * SIZE.num_frames * SIZE.frame_dim
  total = flops.total_bytes([product], SIZE)
  assert total == product.traffic(4) + adam + frames


def test_the_floor_is_the_slower_of_products_and_copies():
  names = ('jax float32', 'jax bfloat16', 'torch float32', 'torch bfloat16')
  seconds = dict.fromkeys(NAMES, 2.0)
  measured = {**dict.fromkeys(names, 1e9), 'torch float32': 2e9, 'copy': 1e30}
  assert rates.matrix_rate(measured, 'float32') == 2e9
  floor = step.floor(SIZE, seconds, measured)['ours float32']
  assert floor['seconds'] == floor['flops'] / 2e9
  assert floor['fraction'] == floor['seconds'] / 2.0
  floor = step.floor(SIZE, seconds, {**measured, 'copy': 1.0})['literal scan']
  assert floor['seconds'] == floor['bytes']


def test_slope_is_the_exponent_of_growth():
  counts = [10, 100, 1000]
  assert measuring.slope(counts, [3 * n**1.5 for n in counts]) == (
    pytest.approx(1.5)
  )


def test_turns_alternate_after_warming_up():
  calls = []
  programs = {name: functools.partial(calls.append, name) for name in 'ab'}
  times = measuring.in_turns(programs, runs=3)
  assert calls == ['a', 'a', 'b', 'b'] + ['a', 'b'] * 3
  assert measuring.medians(times) == {
    name: statistics.median(values) for name, values in times.items()
  }
  assert [len(values) for values in times.values()] == [3, 3]


def test_memory_is_this_process_s():
  before = measuring.peak_memory()
  held = np.ones(2**27, np.uint8)
  assert measuring.peak_memory() >= before
  assert measuring.peak_memory() >= measuring.resident_memory() > held.nbytes


def test_a_new_process_returns_its_result_and_its_own_memory():
  held = np.ones(2**28, np.uint8)
  result = fresh.call('benchmarks.machine:describe')
  assert (
    result['versions']['python'] == machine.describe()['versions']['python']
  )
  assert 0 < result['peak_bytes'] < held.nbytes


def test_a_new_process_that_fails_is_one_sentence(capfd):
  with pytest.raises(errors.UserError, match='failed with exit code 1'):
    fresh.call('benchmarks.evaluate:score', num_codes=-1)
  assert 'ValueError' in capfd.readouterr().err


def test_features_on_disk_are_as_long_as_asked_and_differ(tmp_path):
  size = sizes.Size(batch=4, num_frames=2, frame_dim=16, num_bits=8)
  videos.write_features(tmp_path / 'x.npy', 600, size)
  found = np.load(tmp_path / 'x.npy')
  assert (found.shape, found.dtype) == ((600, 2, 16), np.float16)
  assert len(np.unique(found.reshape(600, -1), axis=0)) == 600


def test_an_unknown_part_is_one_sentence():
  result = programs.run('-m', 'benchmarks', '--part=steps')
  programs.assert_failed(result, 'argument --part: invalid choice')
  assert all(name in result.stderr for name in command.PARTS)


def test_without_pytorch_its_parts_say_what_to_install(tmp_path, monkeypatch):
  monkeypatch.setattr(command.importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(errors.UserError, match='PyTorch is not installed'):
    command.measure('step', tmp_path, quick=True, load=0.0)
  assert not list(tmp_path.iterdir())


def test_the_step_of_a_later_method_is_timed_past_its_first_stage(
  tmp_path, monkeypatch
):
  monkeypatch.setattr(methods, 'METHODS', ('bth',))
  monkeypatch.setattr(methods, '_PRECISIONS', ('float32',))
  command.measure('methods', tmp_path, quick=True, load=0.0)
  assert re.search(r'\| bth +\| 0\.\d+', table.text(tmp_path))
  wsch = registry.build('wsch', num_bits=16, num_frames=3, frame_dim=48)
  empty = {'centres': np.zeros((800, 16), np.float32)}
  _, state, _ = contenders.trained(wsch, empty, epoch=101)
  assert state.collections['rounds']['kind'] == 2  # of contrast


def test_a_part_writes_what_its_table_reads(tmp_path):
  command.measure('evaluate', tmp_path, quick=True, load=0.0)
  (path,) = tmp_path.glob('*/evaluate.json')
  found = json.loads(path.read_text())
  values = found['results']['seconds']
  assert found['results']['num_codes'] == [50, 100]
  assert all(math.isfinite(x) and x > 0 for x in values)
  assert '## Evaluation' in table.text(tmp_path)


def exchanged(size, devices):
  """Bytes that a device gives to each kind of collective in one step."""
  method, optimizer = contenders.nph(size), train_state.adam(1e-3, 0.9)
  tables, key = jax.eval_shape(sizes.tables), jax.random.key(0)
  state = jax.eval_shape(
    functools.partial(train_state.initial, method, optimizer), key, tables
  )
  rows = size.batch // devices
  batch = {
    'frames': sizes.frames(rows, size),
    'index': np.arange(rows, dtype=np.int32),
  }
  step = functools.partial(
    train.train_step,
    method=method,
    optimizer=optimizer,
    key=key,
    axis_name=train.AXIS,
  )
  program = jax.make_jaxpr(step, axis_env=[(train.AXIS, devices)])(
    state, tables, batch
  )
  found = collections.Counter()
  for equation, times in equations(program.jaxpr):
    for kind in ('psum', 'pmax', 'pmin', 'all_', 'ppermute'):
      if equation.primitive.name.startswith(kind):
        values = [v.aval for v in equation.invars]
        found[kind] += times * sum(v.size * v.dtype.itemsize for v in values)
  return found


@pytest.mark.parametrize('devices', [2, 4])
def test_devices_exchange_gradients_moments_and_codes(devices):
  """Four bytes a parameter and little else: what docs/gpus.md says."""
  size = sizes.Size(batch=8, num_frames=3, frame_dim=48, num_bits=16)
  found = exchanged(size, devices)
  # Mean and mean square of a frame's H values, forward and backward.
  moments = size.num_frames * 2 * sizes.WIDTH * 2
  metrics = ('loss', 'similarity', 'quantization', 'visual', 'neighborhood')
  sums = flops.num_parameters(size) + moments + len(metrics)
  own = size.batch // devices
  assert found == {'psum': 4 * sums, 'all_': 4 * own * (size.num_bits + 1)}


def test_the_profile_counts_the_body_of_a_loop_and_not_the_loop():
  step = [
    {'name': name, 'dur': duration, 'args': {'hlo_module': 'step'}}
    for name, duration in (
      ('while.3', 999),
      ('dot.7', 100),
      *[('add.2', 6)] * 5,
    )
  ]
  events = [*step * 2, {'name': 'python', 'dur': 999}]
  found = profile.instructions(events)
  assert found == {'dot.7': (2, 200), 'add.2': (10, 60)}


def test_the_gpu_s_benchmark_runs_on_a_cpu_and_renders_its_tables(capsys):
  gpu.main(['--quick', '--seconds=3600'])
  found = capsys.readouterr().out
  assert re.search(r'\| fused +\| \d.\de-1\d \| 1e-09 ', found)
  assert re.search(r'\| nph float32 +\| 0.0e\+00 .*\| 0  ', found)
  for row in ('quick float32', 'quick float32, from the host'):
    assert re.search(rf'\| {row} +\| \d+\.\d', found)
  assert re.search(r'\| quick float32, encode +(\| [\d,.]+ +){4}\|', found)


def test_a_check_beyond_its_limit_is_an_error():
  checks = {
    'nph': {'found': 0.5, 'limit': 1e-4},
    'ok': {'found': 0, 'limit': 0},
  }
  with pytest.raises(errors.UserError, match='nph is 5.0e-01 apart'):
    agreement.require(checks)


def test_a_worker_that_is_late_or_fails_is_not_ready():
  late = fresh.Worker('benchmarks.evaluate:score', num_codes=10**6)
  failing = fresh.Worker('benchmarks.evaluate:score', num_codes=-1)
  assert not late.wait(time.monotonic())
  assert not failing.wait(time.monotonic() + 60)
  assert late.go(time.monotonic()) is failing.go(time.monotonic()) is None


def test_a_worker_measures_as_often_as_it_is_asked():
  worker = fresh.Worker('unittest.mock:Mock', return_value={'seconds': 1})
  assert worker.wait(time.monotonic() + 60)
  assert worker.go() == worker.go() == {'seconds': 1}
  worker.end()
  assert worker._process.exitcode == 0


def test_a_contender_that_takes_no_part_says_why(monkeypatch, tmp_path):
  monkeypatch.setattr(step.machine, 'multiplies_bfloat16', lambda: False)
  begin = functools.partial(step._begun, None, size=SIZE, folder=str(tmp_path))
  for name, limit, why in (
    ('PyTorch float32 compiled', 0, 'left out'),
    ('PyTorch bfloat16', math.inf, 'no bfloat16 here'),
  ):
    with pytest.raises(step._Missing, match=why):
      begin(name, limit=limit)


def test_kernels_are_counted_once_for_each_iteration_of_their_loop():
  program = """HloModule jit_steps

%body (p: (s32[], f32[4])) -> (s32[], f32[4]) {
  %p = (s32[], f32[4]{0}) parameter(0)
  %dot.1 = f32[4]{0} custom-call(%p), custom_call_target="__cublas$lt"
  ROOT %add.1 = (s32[], f32[4]{0}) fusion(%p), kind=kLoop, calls=%add
}

ENTRY %main (x: f32[4]) -> f32[4] {
  %x = f32[4]{0} parameter(0)
  %copy.1 = f32[4]{0} copy(%x)
  %while.1 = (s32[], f32[4]{0}) while(%copy.1), condition=%c, body=%body, \
backend_config={"known_trip_count":{"n":"5"}}
  ROOT %end = f32[4]{0} get-tuple-element(%while.1), index=1
}
"""
  expected = {'copy': 1, 'custom-call __cublas': 5, 'fusion Loop': 5}
  assert kernels.count(program) == expected
