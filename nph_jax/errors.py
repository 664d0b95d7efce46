"""The one way a person's mistake reaches them: a sentence, not a traceback."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
  """Bad input, stated in one sentence: what, where, expected, what to do."""


class Parser(argparse.ArgumentParser):
  """Takes whole flags alone; reports a bad one as every other bad input is."""

  def __init__(self, **options: Any):
    options.setdefault('allow_abbrev', False)
    super().__init__(**options)

  def error(self, message: str) -> NoReturn:
    raise UserError(f'{message}; --help lists the flags.')


def import_extra(module: str, extra: str, what: str) -> Any:
  """Imports a module that an extra of nph-jax brings.

  Raises:
    UserError: it is not installed; `what` it does, and how to get it.
  """
  try:
    return importlib.import_module(module)
  except ImportError as error:
    raise UserError(f"{what}: pip install 'nph-jax[{extra}]'.") from error


@contextlib.contextmanager
def writing(path: object, advice: str | None = None) -> Iterator[None]:
  """Turns a full disk (or a file-size limit) under `path` into a UserError.

  With `advice`, so does whatever else keeps it from being written.
  """
  try:
    yield
  except (OSError, SystemError) as error:
    # On Python 3.13 what a file object tells h5py comes out as a SystemError.
    found = error if isinstance(error, OSError) else error.__cause__
    if isinstance(found, OSError) and found.errno in _FULL:
      raise UserError(
        f'{path}: the disk is full or a file-size limit was reached '
        f'({found.strerror}); free some space and run the same command again.'
      ) from error
    if advice and isinstance(found, OSError):
      raise UserError(
        f'{path}: cannot be written ({found.strerror}); {advice}.'
      ) from error
    raise


def run_main(main: Callable[[], None]) -> None:
  """Runs a command line's `main`, printing a UserError as one line.

  Exit codes: 0 success, 1 a UserError, 130 interrupted, 141 where nobody reads
  the output to its end, as in `... | head -1`.
  """
  try:
    main()
    sys.stdout.flush()
  except UserError as error:
    print(f'error: {error}', file=sys.stderr)
    sys.exit(1)
  except KeyboardInterrupt:
    print('interrupted: the same command continues from here.', file=sys.stderr)
    sys.exit(130)
  except BrokenPipeError:
    # Python flushes what is left when it ends, and would complain once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)
