"""Tasks on the machines of a Ray cluster: workers.ordered beyond one machine.

Every node has the same nph_jax, and sees videos, features, weights and bundles
at the same paths. There each task runs in a process of its own, as it would
here, so that a bad file fails with the same words; what Ray itself repeats are
the tasks of a node that is gone.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nph_jax import errors
from nph_jax.extraction import workers

_RETRIES = 10  # of a task whose node was lost
_pools: list[Any] = []  # of this process, if it is Ray's


def ordered(
  function: Callable[[Any], Any],
  tasks: Sequence[Any],
  *,
  address: str,
  ahead: int,
  time_limit: float,
) -> Iterator[Any]:
  """Yields function(task) of every task, in order, each once.

  Args:
    function: importable by name on every node; what it raises becomes a
      workers.Failure.
    tasks: picklable; str(task) names one to a person.
    address: of the cluster, as ray.init reads it.
    ahead: tasks begun beyond the last yielded, at least; two for each core.
    time_limit: seconds a task may take once it has begun.

  Raises:
    UserError: Ray is not installed, there is no such cluster, or its nodes were
      lost again and again.
  """
  with _connected(address) as ray:
    remote = ray.remote(num_cpus=1, max_retries=_RETRIES)(_on_node)
    left, waiting = iter(tasks), collections.deque()
    while True:
      # Nodes come and go.
      cores = int(ray.cluster_resources().get('CPU', 0))
      free = max(ahead, 2 * cores) - len(waiting)
      for task in itertools.islice(left, max(free, 0)):
        waiting.append((task, remote.remote(function, task, time_limit)))
      if not waiting:
        return
      task, made = waiting.popleft()
      try:
        result = ray.get(made)
      except ray.exceptions.RayError as error:
        *_, reason = str(error).strip().splitlines() or ['']
        raise errors.UserError(
          f'--cluster={address}: cannot do {task} ({reason}); see that all '
          'nodes have this nph-jax and see the same files; the same command '
          'continues.'
        ) from error
      yield result


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
  ray = errors.import_extra('ray', 'cluster', '--cluster needs Ray')
  try:
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
  # Ray documents no common class.
  except Exception as error:
    raise errors.UserError(
      f'--cluster={address}: no such cluster ({error}); give the address that '
      '`ray start --head` printed, as in 10.0.0.1:6379.'
    ) from error
  try:
    yield ray
  finally:
    ray.shutdown()


def _on_node(
  function: Callable[[Any], Any], task: Any, time_limit: float
) -> Any:
  # Ray keeps its processes, so this one keeps its own.
  if not _pools:
    _pools.append(workers.processes(1))
  made = _pools[0].schedule(
    workers.attempt, (function, task), timeout=time_limit
  )
  return workers.result_of(task, made, time_limit)
