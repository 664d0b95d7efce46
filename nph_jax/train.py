"""The training loop, and all that is done on several devices at once.

`jax.pmap` is here and nowhere else. State and tables are the same on every
device, a batch is split over them; what comes out is replicated and has the
shapes of one device, so that checkpoints know nothing of devices.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tqdm

from nph_jax import errors, rng
from nph_jax.checkpoint import Checkpointer
from nph_jax.data import progress
from nph_jax.metric_writer import MetricWriter
from nph_jax.train_state import TrainState

AXIS = 'devices'
Batch = Mapping[str, Any]
_AHEAD = 2  # calls whose batches are on their way to a GPU


@dataclasses.dataclass(frozen=True)
class Run:
  """One training run, apart from what is trained.

  Attributes:
    name: in messages and on the progress bar.
    seed: of every stream.
    num_steps: updates in all, earlier sessions' included.
    batch_size: global.
    steps_per_epoch: for the data position and the log.
    checkpoint_every: steps between checkpoints.
    log_every: steps between log lines.
    steps_per_call: updates in one call of the compiled step.
    ahead: whether a call begins before the last one's end. On a CPU that wins
      nothing, and has buffers of its own.
  """

  name: str
  seed: int
  num_steps: int
  batch_size: int
  steps_per_epoch: int
  checkpoint_every: int
  log_every: int
  steps_per_call: int = 1
  ahead: bool = False


def train_step(
  state: TrainState,
  tables: Mapping[str, jax.Array],
  batch: Batch,
  *,
  method: Any,
  optimizer: optax.GradientTransformation,
  key: jax.Array,
  resident: jax.Array | None = None,
  axis_name: str | None = None,
) -> tuple[TrainState, dict[str, jax.Array]]:
  """One update; pure.

  Args:
    state: before the step.
    tables: constants of the whole run, such as the anchors.
    batch: this device's index [B], and frames [B, M, L] unless resident.
    method: see models.method.Method.
    optimizer: of the parameters.
    key: of the step's randomness, with the step's number; equal on all devices.
    resident: frames [N, M, L] of the whole split, where they are on the device.
    axis_name: devices' axis under pmap.

  Returns:
    The state after it, and the loss, its terms and the gradient's norm.
  """
  key = jax.random.fold_in(key, state.step)
  if resident is None:
    frames = batch['frames']
  else:
    frames = resident[batch['index']]
  batch = {**batch, 'frames': frames.astype(float)}
  gradient = jax.value_and_grad(method.loss, has_aux=True)
  (loss, (terms, collections)), grads = gradient(
    state.params, state.collections, batch, tables, key, axis_name
  )
  metrics = {'loss': loss, **{f'loss/{k}': v for k, v in terms.items()}}
  if axis_name is not None:
    grads, metrics = jax.lax.pmean((grads, metrics), axis_name)
  updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
  metrics['gradient_norm'] = optax.tree.norm(grads)
  params = optax.apply_updates(state.params, updates)
  return TrainState(state.step + 1, params, collections, opt_state), metrics


def parallel_steps(
  method: Any,
  optimizer: optax.GradientTransformation,
  seed: int,
) -> Callable[..., tuple[TrainState, dict[str, jax.Array]]]:
  """`train_step` over all devices of all hosts, as often as a call has batches.

  The function returned takes state, tables, resident frames or None, and
  batches as `split_batches` returns them; its metrics have the steps as their
  first axis.
  """
  step = functools.partial(
    train_step,
    method=method,
    optimizer=optimizer,
    axis_name=AXIS,
  )

  def steps(key, state, tables, resident, batches):
    return jax.lax.scan(
      lambda s, b: step(s, tables, b, key=key, resident=resident),
      state,
      # Here, not on the host, which would copy the frames once more.
      jax.tree.map(lambda *parts: jnp.stack(parts), *batches),
    )

  compiled = jax.pmap(
    steps,
    axis_name=AXIS,
    in_axes=(None, None, None, None, 0),
    out_axes=(None, None),
    donate_argnums=1,
  )
  # An argument, so that the program is the same for all seeds.
  return functools.partial(compiled, rng.stream(seed, 'step'))


def replicate(tree: Any) -> Any:
  """The arrays of `tree` on every device of every host.

  What is given to a step from one device only would be sent to the others
  again at each of them. What is everywhere already stays as it is.
  """
  mesh = jax.sharding.Mesh(jax.devices(), (AXIS,))
  everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

  def place(x: jax.Array) -> jax.Array:
    if isinstance(x, jax.Array) and x.sharding == everywhere:
      return x
    value = np.asarray(x)
    return jax.make_array_from_callback(
      value.shape, everywhere, lambda index: value[index]
    )

  return jax.tree.map(place, tree)


def split_batches(batches: Iterable[Batch]) -> tuple[Batch, ...]:
  """This host's batches [B, ...], each as [devices, B / devices, ...]."""
  devices = jax.local_device_count()

  def split(x: np.ndarray) -> np.ndarray:
    return x.reshape(devices, len(x) // devices, *x.shape[1:])

  return tuple({k: split(x) for k, x in batch.items()} for batch in batches)


def sent_ahead(calls: Iterator[tuple[Batch, ...]]) -> Iterator[tuple]:
  """The batches of each call, sent to the devices while earlier calls run.

  Sending means to copy frames from memory that the system may move to memory
  that it may not, which takes as long as a step on a GPU: a thread does it.

  Args:
    calls: what `split_batches` returns, call by call.
  """
  mesh = jax.sharding.Mesh(jax.local_devices(), (AXIS,))
  split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(AXIS))

  def send() -> tuple | None:
    batches = next(calls, None)
    return None if batches is None else jax.device_put(batches, split)

  with concurrent.futures.ThreadPoolExecutor(1) as thread:
    waiting = collections.deque(thread.submit(send) for _ in range(_AHEAD))
    while (batches := waiting.popleft().result()) is not None:
      waiting.append(thread.submit(send))
      yield batches


def check_batch_size(batch_size: int, num_videos: int, field: str) -> None:
  """Raises a UserError unless `batch_size` suits videos and devices."""
  if batch_size > num_videos:
    raise errors.UserError(
      f'{field} is {batch_size}, but there are only {num_videos} training '
      f'videos; set --{field} to {num_videos} or less.'
    )
  devices = jax.device_count()
  if batch_size % devices:
    raise errors.UserError(
      f'{field} is {batch_size}, which does not divide evenly over {devices} '
      f'devices; set --{field} to a multiple of {devices}.'
    )


def fit(
  run: Run,
  method: Any,
  optimizer: optax.GradientTransformation,
  state: TrainState,
  tables: Mapping[str, jax.Array],
  batches: Callable[[int], Iterator[Batch]],
  checkpointer: Checkpointer,
  writer: MetricWriter,
  resident: jax.Array | None = None,
  begin_epoch: Callable[[TrainState, int], TrainState] | None = None,
) -> TrainState:
  """Trains to `run.num_steps`, from the newest checkpoint if there is one.

  Args:
    run: lengths, seed and intervals.
    method: see models.method.Method.
    optimizer: of the parameters.
    state: the state to begin from.
    tables: see train_step.
    batches: this host's batches from a step on.
    checkpointer: where the run's checkpoints are.
    writer: of loss terms and speed.
    resident: see train_step.
    begin_epoch: what is done to the state before the first step of an epoch,
      and again where a training goes on from there; see epochs.hook.

  Returns:
    The state after the last step, on the host.

  Raises:
    UserError: the loss or a gradient is not finite.
  """
  state, tables = replicate(state), replicate(dict(tables))
  restored = checkpointer.restore(state)
  if restored is not None:
    state = restored[0]
  first = int(state.step)
  steps_fn = parallel_steps(method, optimizer, run.seed)
  meter = _Meter(run, checkpointer, writer, first)
  calls = _calls(run, batches(first), first, begin_epoch is not None)
  calls = sent_ahead(calls) if run.ahead else calls
  step, pending = first, None
  with contextlib.closing(calls):
    for chunk in calls:
      if begin_epoch and step % run.steps_per_epoch == 0:
        state = begin_epoch(state, step // run.steps_per_epoch)
      # The next one's batch has been read beside it all the same.
      if pending is not None and not run.ahead:
        jax.block_until_ready(pending[1])
      state, metrics = steps_fn(state, tables, resident, chunk)
      # The metrics of a call are looked at while the next one runs.
      if pending is not None:
        meter.record(*pending)
      pending, step = (step, metrics), step + len(chunk)
      if step % run.checkpoint_every == 0 or step == run.num_steps:
        meter.record(*pending)
        pending = None
        checkpointer.save(_global(state), _position(run, step))
  meter.close()
  return jax.device_get(state)


def _calls(
  run: Run, stream: Iterator[Batch], step: int, at_epochs: bool
) -> Iterator[tuple[Batch, ...]]:
  """The batches of each call: as many as a call may have, or one.

  So there are two programs in all.

  Args:
    run: whose lengths and intervals end a call.
    stream: of this host's batches.
    step: the first one's.
    at_epochs: whether calls end with an epoch.
  """
  while step < run.num_steps:
    left = min(
      run.num_steps - step, run.checkpoint_every - step % run.checkpoint_every
    )
    if at_epochs:
      left = min(left, run.steps_per_epoch - step % run.steps_per_epoch)
    count = run.steps_per_call if run.steps_per_call <= left else 1
    yield split_batches(itertools.islice(stream, count))
    step += count


def _global(state: TrainState) -> TrainState:
  """`state` as arrays of all hosts: pmap returns those of this host alone."""
  return replicate(state) if jax.process_count() > 1 else state


def _position(run: Run, step: int) -> dict[str, int]:
  """Where the data stream stands after `step`, and what it is made from."""
  return {
    'step': step,
    'epoch': step // run.steps_per_epoch,
    'batch_in_epoch': step % run.steps_per_epoch,
    'batch_size': run.batch_size,
    'seed': run.seed,
  }


class _Meter:
  """Watches the loss, writes the log and moves the progress bar."""

  def __init__(
    self,
    run: Run,
    checkpointer: Checkpointer,
    writer: MetricWriter,
    first: int,
  ):
    self._run, self._checkpointer, self._writer = run, checkpointer, writer
    self._bar = tqdm.tqdm(
      total=run.num_steps,
      initial=first,
      desc=run.name,
      unit='step',
      mininterval=1.0,
      disable=jax.process_index() != 0 or not progress.shown(),
      postfix='compiling',
    )
    self._last_log, self._last_time = first, time.perf_counter()
    self._loss = ''  # as the bar shows it

  def record(self, step: int, metrics: Mapping[str, jax.Array]) -> None:
    """Takes the metrics [steps] of the call that began after `step`."""
    metrics = jax.device_get(metrics)
    for row in range(len(metrics['loss'])):
      values = {k: float(v[row]) for k, v in metrics.items()}
      self._stop_if_not_finite(step + row + 1, values)
    # A call's steps end together: only the last one can tell the speed.
    last, step = step, step + len(metrics['loss'])
    if step // self._run.log_every > last // self._run.log_every or (
      step == self._run.num_steps
    ):
      self._log(step, values)
    self._bar.set_postfix_str(self._loss, refresh=False)
    self._bar.update(step - last)

  def _log(self, step: int, values: dict[str, float]) -> None:
    now = time.perf_counter()
    videos = (step - self._last_log) * self._run.batch_size
    values['videos_per_second'] = videos / max(now - self._last_time, 1e-9)
    values['epoch'] = step / self._run.steps_per_epoch
    self._last_log, self._last_time = step, now
    self._writer.write_scalars(step, values)
    self._loss = f'loss={values["loss"]:.4f}'

  def _stop_if_not_finite(self, step: int, values: dict[str, float]) -> None:
    broken = [k for k, v in values.items() if not np.isfinite(v)]
    if not broken:
      return
    self.close()
    last = self._checkpointer.latest_step
    good = (
      f'the last good checkpoint is {self._checkpointer.path(last)}'
      if last is not None
      else 'no checkpoint had been written yet'
    )
    raise errors.UserError(
      f'{self._run.name}: {broken[0]} is not finite at step {step}; {good}; '
      'lower the learning rate or look at the features for extreme values.'
    )

  def close(self) -> None:
    self._bar.close()
