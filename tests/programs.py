"""Other processes of this Python, what they load, and what mistakes say."""

import contextlib
import json
import os
import pathlib
import resource
import socket
import subprocess
import sys

import pytest

from nph_jax import errors

ROOT = pathlib.Path(__file__).parents[1]
# Where they find nph_jax, and what tests share.
PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / 'tests')])


def run(*arguments, cwd=None, **environment):
  """The finished process of `python ARGUMENTS`, its output as text."""
  return subprocess.run(
    [sys.executable, *map(str, arguments)],
    cwd=cwd,
    env={**os.environ, 'PYTHONPATH': PYTHONPATH, **environment},
    stdin=subprocess.DEVNULL,
    capture_output=True,
    text=True,
  )


def free_address():
  """HOST:PORT of this machine that nobody listens on."""
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    return f'127.0.0.1:{probe.getsockname()[1]}'


def loaded(code):
  """The modules that are there after `code` in a new process."""
  show = 'import json, sys; print(json.dumps(list(sys.modules)))'
  done = run('-c', f'{code}\n{show}')
  assert (done.returncode, done.stderr) == (0, '')
  return set(json.loads(done.stdout.splitlines()[-1]))


def assert_failed(done, beginning):
  """That a process ended with one sentence on stderr alone."""
  assert (done.returncode, done.stdout) == (1, ''), done.stderr
  assert done.stderr.startswith(f'error: {beginning}'), done.stderr
  assert done.stderr.count('\n') == 1, done.stderr


@contextlib.contextmanager
def one_sentence(*words):
  """Expects a UserError of one sentence that holds `words`."""
  with pytest.raises(errors.UserError) as caught:
    yield
  message = str(caught.value)
  assert all(word in message for word in words), message
  assert '\n' not in message and message.endswith('.'), message


@contextlib.contextmanager
def full_disk(limit):
  """Files may not grow beyond so many bytes meanwhile."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
