"""Checkpoints: what is kept, what fits, and a full disk."""

import jax.numpy as jnp
import numpy as np
import programs

from nph_jax.checkpoint import Checkpointer
from nph_jax.train_state import TrainState

POSITION = {'step': 1, 'seed': 0}


def state(step, size=4):
  return TrainState(
    jnp.asarray(step, jnp.int32),
    {'w': jnp.arange(size, dtype=jnp.float32) + step},
    {},
    (),
  )


def test_the_newest_comes_back_and_old_ones_go(tmp_path):
  with Checkpointer(tmp_path, keep=2) as checkpointer:
    assert checkpointer.restore(state(0)) is None
    for step in (2, 4, 6):
      checkpointer.save(state(step), {'step': step})
  with Checkpointer(tmp_path) as checkpointer:
    assert checkpointer.latest_step == 6
    found, position = checkpointer.restore(state(0))
    np.testing.assert_array_equal(found.params['w'], state(6).params['w'])
    assert position == {'step': 6}
    assert not checkpointer.path(2).exists() and checkpointer.path(4).exists()


def test_a_step_is_written_once(tmp_path):
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save(state(1), POSITION)
    checkpointer.save(state(1), {**POSITION, 'seed': 5})
    assert checkpointer.restore(state(0))[1] == POSITION


PROGRAM = """
import resource
from nph_jax import errors
from nph_jax.checkpoint import Checkpointer
import sys
sys.path.insert(0, sys.argv[2])
from checkpoint_test import state
def full():
  resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
  with Checkpointer(sys.argv[1]) as checkpointer:
    checkpointer.save(state(1), {'step': 1})
    checkpointer.save(state(2, 100_000), {'step': 2})
def other():
  with Checkpointer(sys.argv[1]) as checkpointer:
    checkpointer.save(state(1), {'step': 1})
    checkpointer.restore(state(0, size=5))
errors.run_main(globals()[sys.argv[3]])
"""


def refused(folder, program):
  """Runs a function of PROGRAM; returns what stderr says, folders left."""
  here = __file__.rpartition('/')[0]
  done = programs.run('-c', PROGRAM, folder, here, program)
  assert done.returncode == 1
  return done.stderr, {p.name for p in folder.iterdir()}


def test_another_model_gets_one_sentence(tmp_path):
  stderr, left = refused(tmp_path / 'c', 'other')
  # A thread of orbax' may begin a traceback before the program ends.
  stderr = stderr.removeprefix('Traceback (most recent call last):\n')
  sentence = f'error: {tmp_path / "c" / "1"}: the checkpoint cannot be read'
  assert stderr.startswith(sentence)
  assert left == {'1'}


def test_a_full_disk_gets_one_sentence_and_leaves_the_last_one(tmp_path):
  stderr, left = refused(tmp_path / 'c', 'full')
  assert stderr.startswith(f'error: {tmp_path / "c" / "2"}: the checkpoint')
  assert 'continues from step 1' in stderr
  assert len(stderr.splitlines()) == 1
  assert left == {'1'}
