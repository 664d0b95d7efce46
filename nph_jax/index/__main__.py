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
from typing import Any

from nph_jax import errors
from nph_jax import index as index_lib

_SWITCH: dict[str, Any] = {'action': 'store_true'}
_FLAGS: dict[str, dict[str, Any]] = {
  'index': {'required': True, 'help': 'folder of the index'},
  'out': {'required': True, 'help': 'new folder; of a backup, new file'},
  'engine': {
    'choices': index_lib.ENGINES,
    'default': 'flat',
    'help': 'what searches: flat (faiss, exact); ivf (faiss, approximate, for '
    'very large sets); milvus (exact), milvus_ivf (a cluster)',
  },
  'uri': {
    'help': "of Milvus: a file, by default in the folder, or a server's "
    'address; its token is read from MILVUS_TOKEN'
  },
  'no_relaxed': {
    'help': 'keep codes alone: no re-ranking, 2 bytes a bit less', **_SWITCH
  },
  'bundle': {
    'help': 'folder export/ of a trained workdir: makes the codes of '
    "--features, by default those of the user's library or the starter; or "
    'made --codes, which is recorded and checked'
  },
  'features': {
    'help': '.h5 with `feats` (videos, frames, width) or .npy; several by '
    'commas; for rehash of all videos of the index, and maybe of others'
  },
  'codes': {'help': '.npy, uint8 (videos, bits / 8)'},
  'id': {
    'type': int,
    'help': 'of an indexed video, itself left out of the results',
  },
  'manifest': {
    'help': 'JSON lines, an object for each video of --features or --codes, '
    'whose `hash` says which file it is; several by commas. Default: '
    'FEATURES.manifest.jsonl where they are there'
  },
  'labels': {'help': 'multi-hot, .mat or .npy; several by commas'},
  'label_names': {'help': 'JSON list of the names of --labels'},
  'again': {'help': 'add once more what is there already', **_SWITCH},
  'ids': {'required': True, 'help': 'by commas'},
  'k': {'type': int, 'help': 'results; 10, or all within --radius'},
  'radius': {'type': int, 'help': 'greatest distance in bits'},
  'where': {
    'action': 'append',
    'default': [],
    'metavar': 'NAME=VALUE',
    'help': 'metadata that results have to have; may be given again',
  },
  'rank': {
    'choices': index_lib.RANKS,
    'help': 'hamming: by the distance of codes; asymmetric: by t . b, the real '
    "values of the query and the videos' bits, over all of them; default: "
    'asymmetric where t of the query is known, the engine is flat and nothing '
    'is re-ranked',
  },
  'rerank': {
    'type': int,
    'default': 0,
    'metavar': 'R',
    'help': 'order the nearest R by the real-valued codes',
  },
  'in_order': {
    'help': 'the features are those of all videos in the order of their ids',
    **_SWITCH,
  },
  'backup': {'required': True, 'help': 'file of `backup`'},
  'verify': {'help': 'read everything and check it', **_SWITCH},
  'json': {'help': 'print JSON, for each query an object', **_SWITCH},
}  # fmt: skip
_VIDEOS = ('features', 'codes', 'id')  # one of them
_SOURCE = 'bundle features codes manifest labels label_names'
_COMMANDS = {
  'build': ('makes an index', f'out engine uri no_relaxed {_SOURCE}'),
  'add': ('adds videos', f'index {_SOURCE} again'),
  'remove': ('removes videos', 'index ids'),
  'search': (
    'finds the nearest videos',
    'index bundle features codes id k radius where rank rerank json',
  ),
  'rehash': (
    "makes all codes anew, another bundle's",
    'index bundle features manifest in_order',
  ),
  'backup': ('copies an index that may be in use', 'index out'),
  'restore': ('makes an index of a backup', 'backup out'),
  'info': ('says what is in an index', 'index verify json'),
}


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
  )
  parser.set_defaults(codes=None, labels=None, label_names=None)
  commands = parser.add_subparsers(dest='command', required=True)
  for name, (help_text, flags) in _COMMANDS.items():
    command = commands.add_parser(name, help=help_text, description=help_text)
    names = flags.split()
    for flag in names:
      if flag not in _VIDEOS:
        command.add_argument(f'--{flag}', **_FLAGS[flag])
    if 'features' in names:
      videos = command.add_mutually_exclusive_group(required=True)
      for flag in filter(names.__contains__, _VIDEOS):
        videos.add_argument(f'--{flag}', **_FLAGS[flag])
  return parser


if __name__ == '__main__':
  errors.run_main(main)
