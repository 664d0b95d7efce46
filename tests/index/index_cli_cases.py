"""A bundle and files for `python -m nph_jax.index`."""

import json
import pathlib

import index_cases

from nph_jax.index import __main__ as index


def write_manifest(path, number, start=0):
  lines = map(json.dumps, index_cases.metadata(number, start))
  pathlib.Path(path).write_text('\n'.join(lines) + '\n')


def build(*more, features='frames.h5'):
  index.main(
    ['build', '--out=ix', '--bundle=export', f'--features={features}', *more]
  )
