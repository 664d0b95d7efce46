"""nph-jax: a folder of videos to a search, and all else that is here.

  nph-jax add VIDEOS             extract, hash and index what is new
  nph-jax search CLIP|ID         the nearest videos
  nph-jax duplicates             which videos are copies, and which to keep
  nph-jax serve                  a page to search with
  nph-jax refit                  learn the codes anew from the library

  nph-jax train ...              python -m nph_jax.main
  nph-jax extract ...            python -m nph_jax.extract
  nph-jax encode ...             python -m nph_jax.encode
  nph-jax evaluate ...           python -m nph_jax.retrieval.evaluate
  nph-jax index ...              python -m nph_jax.index

nph-jax COMMAND --help lists a command's flags. The first five work on one
library, the folder --index; by default it is one of the user's.
"""

from __future__ import annotations

import importlib
import runpy
import sys

from nph_jax import errors

LIBRARY = ('add', 'search', 'duplicates', 'serve', 'refit')
MODULES = {
  'train': 'nph_jax.main',
  'extract': 'nph_jax.extract',
  'encode': 'nph_jax.encode',
  'evaluate': 'nph_jax.retrieval.evaluate',
  'index': 'nph_jax.index',
}


def main() -> None:
  """Runs the command that the first argument names."""
  name, *rest = sys.argv[1:] or ['--help']
  if name in MODULES:
    # As if called by its own name; each has its own way with flags.
    sys.argv = [sys.argv[0], *rest]
    runpy.run_module(MODULES[name], run_name='__main__', alter_sys=True)
  else:
    errors.run_main(lambda: _library(name, rest))


def _library(name: str, rest: list[str]) -> None:
  if name in ('-h', '--help', 'help'):
    print(__doc__.strip())
    return
  if name not in LIBRARY:
    raise errors.UserError(
      f'{name}: no such command; there are {", ".join((*LIBRARY, *MODULES))}.'
    )
  commands = importlib.import_module('nph_jax.library.commands')
  getattr(commands, name)(rest)


if __name__ == '__main__':
  main()
