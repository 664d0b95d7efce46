"""Index videos by their codes and search them, from the shell.

  python -m nph_jax.index build --out=DIR --bundle=BUNDLE --features=F.h5[,G.h5]
  python -m nph_jax.index add --index=DIR --bundle=BUNDLE --features=F.h5
  python -m nph_jax.index search --index=DIR --bundle=BUNDLE --features=Q.h5
  python -m nph_jax.index search --index=DIR --id=7 --where labels=dog
  python -m nph_jax.index remove --index=DIR --ids=7,12
  python -m nph_jax.index rehash --index=DIR --bundle=NEW --features=F.h5
  python -m nph_jax.index backup --index=DIR --out=FILE
  python -m nph_jax.index restore --backup=FILE --out=DIR
  python -m nph_jax.index info --index=DIR

`--codes=codes.npy` takes the place of features; then `--bundle`, which made
them, may be left out, and nothing checks that they belong together. An
interrupted `build` or `add` goes on where it was cut when the same command is
given again, and an `add` that is done adds nothing the next time; videos that
are there already, by their features or their file's hash, are skipped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from nph_jax import errors
from nph_jax import index as index_lib


def main(argv: Sequence[str] | None = None) -> None:
  """Does what the first argument names.

  Raises:
    UserError: any bad flag or file.
  """
  flags = _parser().parse_args(argv)
  from nph_jax.index import commands  # slow; --help and wrong flags need it not

  getattr(commands, flags.command)(flags)


def _parser() -> argparse.ArgumentParser:
  parser = errors.Parser(
    prog='python -m nph_jax.index',
    description='Index videos by their codes and search them.',
    allow_abbrev=False,
  )
  commands = parser.add_subparsers(dest='command', required=True)
  for name, help_text, fill in (
    ('build', 'makes an index', _build_flags),
    ('add', 'adds videos', _add_flags),
    ('remove', 'removes videos', _remove_flags),
    ('search', 'finds the nearest videos', _search_flags),
    ('rehash', "makes all codes anew, another bundle's", _rehash_flags),
    ('backup', 'copies an index that may be in use', _backup_flags),
    ('restore', 'makes an index of a backup', _restore_flags),
    ('info', 'says what is in an index', _info_flags),
  ):
    command = commands.add_parser(
      name, help=help_text, description=help_text, allow_abbrev=False
    )
    fill(command)
  return parser


def _build_flags(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('--out', required=True, help='new folder of the index')
  parser.add_argument(
    '--engine',
    choices=index_lib.ENGINES,
    default='flat',
    help='what searches: flat (faiss, exact); ivf (faiss, approximate, '
    'for very large sets); milvus (exact), milvus_ivf (a cluster)',
  )
  parser.add_argument(
    '--uri',
    help="of Milvus: a file, by default in the folder, or a server's address; "
    'its token is read from MILVUS_TOKEN',
  )
  parser.add_argument(
    '--no_relaxed',
    action='store_true',
    help='keep codes alone: no re-ranking, 2 bytes a bit less',
  )
  _source_flags(parser)


def _add_flags(parser: argparse.ArgumentParser) -> None:
  _index_flag(parser)
  _source_flags(parser)
  parser.add_argument(
    '--again',
    action='store_true',
    help='add once more what is there already',
  )


def _source_flags(parser: argparse.ArgumentParser) -> None:
  _video_flags(parser, required=True)
  parser.add_argument(
    '--manifest',
    help='JSON lines, an object for each video; several by commas. Default: '
    'FEATURES.manifest.jsonl where they are there',
  )
  parser.add_argument(
    '--labels', help='multi-hot, .mat or .npy; several by commas'
  )
  parser.add_argument(
    '--label_names', help='JSON list of the names of --labels'
  )


def _video_flags(
  parser: argparse.ArgumentParser, required: bool
) -> argparse._MutuallyExclusiveGroup:
  parser.add_argument(
    '--bundle',
    help='folder export/ of a trained workdir: makes the codes of --features, '
    'or made --codes, which is recorded and checked',
  )
  group = parser.add_mutually_exclusive_group(required=required)
  group.add_argument(
    '--features',
    help='.h5 with `feats` (videos, frames, width) or .npy; several by commas',
  )
  group.add_argument('--codes', help='.npy, uint8 (videos, bits / 8)')
  return group


def _remove_flags(parser: argparse.ArgumentParser) -> None:
  _index_flag(parser)
  parser.add_argument('--ids', required=True, help='by commas')


def _search_flags(parser: argparse.ArgumentParser) -> None:
  _index_flag(parser)
  group = _video_flags(parser, required=True)
  group.add_argument(
    '--id', type=int, help='of an indexed video, itself left out of the results'
  )
  parser.add_argument(
    '--k', type=int, help='results; 10, or all within --radius'
  )
  parser.add_argument('--radius', type=int, help='greatest distance in bits')
  parser.add_argument(
    '--where',
    action='append',
    default=[],
    metavar='NAME=VALUE',
    help='metadata that results have to have; may be given again',
  )
  parser.add_argument(
    '--rank',
    choices=index_lib.RANKS,
    help='hamming: by the distance of codes; asymmetric: by t . b, the real '
    "values of the query and the videos' bits, over all of them; default: "
    'asymmetric where t of the query is known, the engine is flat and nothing '
    'is re-ranked',
  )
  parser.add_argument(
    '--rerank',
    type=int,
    default=0,
    metavar='R',
    help='order the nearest R by the real-valued codes',
  )
  parser.add_argument(
    '--json', action='store_true', help='one JSON object for each query'
  )


def _rehash_flags(parser: argparse.ArgumentParser) -> None:
  _index_flag(parser)
  parser.add_argument('--bundle', required=True, help='makes the new codes')
  parser.add_argument(
    '--features',
    required=True,
    help='of all videos of the index, and maybe of others; several by commas',
  )
  parser.add_argument(
    '--manifest',
    help='of the features, whose hashes find the videos where the features are '
    'others than those that were added; default: FEATURES.manifest.jsonl',
  )
  parser.add_argument(
    '--in_order',
    action='store_true',
    help='the features are those of all videos in the order of their ids',
  )
  parser.set_defaults(codes=None, labels=None, label_names=None)


def _backup_flags(parser: argparse.ArgumentParser) -> None:
  _index_flag(parser)
  parser.add_argument('--out', required=True, help='new file')


def _restore_flags(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('--backup', required=True, help='file of `backup`')
  parser.add_argument('--out', required=True, help='new folder of the index')


def _info_flags(parser: argparse.ArgumentParser) -> None:
  _index_flag(parser)
  parser.add_argument(
    '--verify', action='store_true', help='read everything and check it'
  )
  parser.add_argument('--json', action='store_true', help='as JSON')


def _index_flag(parser: argparse.ArgumentParser) -> None:
  parser.add_argument('--index', required=True, help='folder of the index')


if __name__ == '__main__':
  errors.run_main(main)
