"""The one way a person's mistake reaches them: a sentence, not a traceback."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class UserError(Exception):
  """Bad input, stated in one sentence: what, where, expected, what to do."""


class Parser(argparse.ArgumentParser):
  """Reports a bad flag the way every other bad input is reported."""

  def error(self, message: str) -> NoReturn:
    raise UserError(f'{message}; --help lists the flags.')


@contextlib.contextmanager
def writing(path: object) -> Iterator[None]:
  """Turns a full disk (or a file-size limit) under `path` into a UserError."""
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
