"""The commands of `nph-jax` that work on a library: their flags.

Nothing slow is imported before the flags are known to be right.
"""

from __future__ import annotations

import argparse
import math
import os
import pathlib
import sys
from collections.abc import Sequence

from nph_jax import errors
from nph_jax.duplicates import flags as duplicates_flags


def home() -> pathlib.Path:
  """The folder of the user's library (XDG Base Directory Specification)."""
  data = os.environ.get('XDG_DATA_HOME') or pathlib.Path.home() / '.local/share'
  return pathlib.Path(data) / 'nph_jax' / 'library'


def _parser(name: str, what: str) -> argparse.ArgumentParser:
  parser = errors.Parser(prog=f'nph-jax {name}', description=what)
  parser.add_argument(
    '--index',
    type=pathlib.Path,
    default=home(),
    help='folder of the library; default %(default)s',
  )
  return parser


def _decoding_flags(parser: argparse.ArgumentParser) -> None:
  parser.add_argument(
    '--workers',
    type=positive,
    default=os.cpu_count(),
    help='decoding processes; default one for each core',
  )
  parser.add_argument(
    '--time_limit',
    type=positive,
    default=1800,
    help='seconds to decode one video; default 1800',
  )
  parser.add_argument(
    '--provider',
    help="ONNX Runtime's, as in CUDAExecutionProvider; default the CPU",
  )


def following_flags(parser: argparse.ArgumentParser) -> None:
  """Adds those of whatever follows a folder of videos."""
  flag = parser.add_argument
  flag('--labels', choices=('none', 'folders'),
       help='folders: the folder that holds a video is its label; default as '
       'before, none at first')  # fmt: skip
  flag('--prune', action='store_true', help='take out videos that are gone')
  flag('--retry', action='store_true', help='try bad files once more')
  flag('--cluster', metavar='ADDRESS',
       help='of a Ray cluster that extracts, as in 10.0.0.1:6379')  # fmt: skip
  _decoding_flags(parser)


def positive(text: str) -> int:
  """A flag's whole number of 1 or more."""
  if not (text.isdecimal() and len(text) < 10 and int(text)):
    raise argparse.ArgumentTypeError(f'{text!r} is none; expected 1 or more')
  return int(text)


def _length(text: str) -> float | str:
  """Seconds of a segment, or as it is; 0 for none."""
  if text == 'auto':
    return text
  if text == 'none':
    return 0.0
  try:
    value = float(text)
  except ValueError:
    value = math.nan
  if not 0.1 <= value <= 3600:
    raise argparse.ArgumentTypeError(
      f'{text!r}; expected 0.1 to 3600 seconds, auto or none'
    )
  return value


def add(argv: Sequence[str]) -> None:
  """Adds videos to a library, which is made where there is none."""
  parser = _parser('add', 'Extract, hash and index the videos that are new.')
  flag = parser.add_argument
  flag('videos', nargs='+', help='folders, and single files')
  flag('--bundle',
       help='of a new library: the codes of this folder export/ of a trained '
       'workdir, for good; by default it learns its own')  # fmt: skip
  flag('--backbone', help='of a new library: as of `nph-jax extract`')
  flag('--weights', help='of a new library: weights file of the backbone')
  for name in ('size', 'mean', 'scale'):
    flag(f'--{name}', help='of a new library with --backbone=onnx')
  flag('--num_frames', type=positive, help='of a new library; default 25')
  flag('--segments', type=_length, metavar='SECONDS|auto|none',
       help='how long each part of a video is that has a code of its own, by '
       'which `search` finds where a clip is; auto: as long as it shows the '
       'same; none: no more of them; as before by default, none at first'
       )  # fmt: skip
  following_flags(parser)
  flags = _started(parser, argv)
  from nph_jax.library import running  # slow

  running.add(flags)


def search(argv: Sequence[str]) -> None:
  """Prints the nearest videos."""
  parser = _parser('search', 'Find the videos that are most like one.')
  flag = parser.add_argument
  flag('query', metavar='CLIP|ID', help='a video file, or the id of a result')
  flag('--k', type=positive, default=10, help='results; default 10')
  flag('--where', metavar='NAME=VALUE', action='append', default=[],
       help='what results have to have; may be given again')  # fmt: skip
  flag('--json', action='store_true', help='one JSON object')
  _decoding_flags(parser)
  flags = _started(parser, argv)
  from nph_jax.library import searching  # slow

  searching.run(flags)


def duplicates(argv: Sequence[str]) -> None:
  """Prints groups of copies."""
  parser = _parser('duplicates', 'Find videos that are copies of each other.')
  duplicates_flags.add(parser)
  flags = _started(parser, argv)
  from nph_jax.duplicates import command  # slow

  command.run(flags)


def refit(argv: Sequence[str]) -> None:
  """Learns the codes of a library anew."""
  parser = _parser('refit', 'Learn the codes anew from the library itself.')
  flags = _started(parser, argv)
  from nph_jax.library import running  # slow

  running.refit(flags)


def serve(argv: Sequence[str]) -> None:
  """Serves the page on a library, or on another index and its bundle."""
  parser = _parser('serve', 'Serve a page to search with.')
  parser.epilog = (
    'All other flags are those of `python -m nph_jax.serve`, such as --port; '
    '--read_only lets `nph-jax add` work beside it.'
  )
  parser.add_argument('--bundle', help='of an index that `add` did not make')
  parser.add_argument('--videos', help='folder of its videos')
  flags, rest = parser.parse_known_args(argv)
  _say(flags.index)
  from nph_jax.library import running  # slow

  running.serve(flags, rest)


def _started(
  parser: argparse.ArgumentParser, argv: Sequence[str]
) -> argparse.Namespace:
  flags = parser.parse_args(argv)
  _say(flags.index)
  return flags


def _say(index: pathlib.Path) -> None:
  print(f'library: {index}', file=sys.stderr, flush=True)
