"""What keeps a build whole: one process at a time, all of it or nothing."""

from __future__ import annotations

import contextlib
import errno
import pathlib
import shutil
from collections.abc import Iterator

from nph_jax import atomic, errors
from nph_jax.data.quiet_tensorflow import tf


@contextlib.contextmanager
def exclusive(folder: pathlib.Path) -> Iterator[None]:
  """Lets one process build under `folder` at a time; ends with the process.

  Raises:
    UserError: `folder` cannot be made or written to.
  """
  advice = 'name another folder for the built data with --config.data.dir=DIR'
  with errors.writing(folder, advice):
    folder.mkdir(parents=True, exist_ok=True)
    lock = atomic.lock(folder / '.lock', wait=True)
  try:
    yield
  finally:
    lock.release()


@contextlib.contextmanager
def whole_or_nothing(folder: pathlib.Path) -> Iterator[None]:
  """Removes `folder` when its build fails or is interrupted.

  Raises:
    UserError: the disk is full or a file-size limit was reached.
  """
  # TensorFlow has names of its own for a full disk.
  full = tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError
  try:
    with errors.writing(folder):
      try:
        yield
      except full as error:
        raise OSError(errno.ENOSPC, str(error.message)) from error
  except BaseException:
    shutil.rmtree(folder, ignore_errors=True)
    raise
