"""Processes that fail, die, hang or are slow: every task gets its answer."""

import os
import signal
import time

import pytest

from nph_jax import errors
from nph_jax.extraction import workers


def work(task):
  kind, value = task
  if kind == 'sleep':
    time.sleep(value)
  elif kind == 'user_error':
    raise errors.UserError(value)
  elif kind == 'error':
    raise ZeroDivisionError(value)
  elif kind == 'die':
    os.kill(os.getpid(), signal.SIGSEGV)
  elif kind == 'exit':
    os._exit(value)
  return value


def run(tasks, num_workers=2, time_limit=60):
  return list(
    workers.ordered(
      work, tasks, num_workers=num_workers, ahead=4, time_limit=time_limit
    )
  )


def test_a_failure_costs_one_task():
  tasks = [
    ('value', 1),
    ('user_error', 'a.mp4: no video.'),
    ('die', None),
    ('error', 'odd'),
    ('exit', 3),
    ('sleep', 99),
    ('value', 2),
  ]
  first, *failures, last = run(tasks, time_limit=6)
  assert (first, last) == (1, 2)
  reasons = [failure.reason for failure in failures]
  assert reasons[0] == 'a.mp4: no video.'
  for reason, part in zip(
    reasons[1:],
    ('SIGSEGV', 'ZeroDivisionError: odd', 'exit code 3', 'more than 6 seconds'),
  ):
    assert part in reason and reason.startswith('(') and '\n' not in reason


def test_no_more_is_begun_than_allowed(tmp_path):
  results = workers.ordered(
    touch,
    [str(tmp_path / str(i)) for i in range(9)],
    num_workers=2,
    ahead=3,
    time_limit=60,
  )
  next(results)
  time.sleep(0.5)
  assert len(list(tmp_path.iterdir())) <= 4
  assert len(list(results)) == 8


def touch(path):
  open(path, 'w').close()


def test_processes_end_with_whoever_stops_asking():
  results = workers.ordered(
    getpid, range(9), num_workers=2, ahead=9, time_limit=60
  )
  process = next(results)
  results.close()
  with pytest.raises(ProcessLookupError):
    os.kill(process, 0)


def getpid(_):
  return os.getpid()
