"""The tables in benchmarks/README.md, written from results/*.json.

python -m benchmarks.table
"""

from __future__ import annotations

import json
import pathlib

from benchmarks import markdown, speed_tables, tables
from nph_jax import atomic, errors

ROOT = pathlib.Path(__file__).parent.parent
RESULTS = ROOT / 'benchmarks' / 'results'
README = ROOT / 'benchmarks' / 'README.md'
QUICK_RESULTS = ROOT / 'runs' / 'benchmarks_quick'
BEGIN, END = '<!-- bench:begin -->', '<!-- bench:end -->'
_PARTS = {
  'step': ('Training step', speed_tables.step),
  'methods': ('Training step of the later methods', speed_tables.methods),
  'encode': ('Encoding', speed_tables.encode),
  'gpu': ('GPU', speed_tables.gpu),
  'evaluate': ('Evaluation', tables.evaluate),
  'pipeline': ('Input pipeline', tables.pipeline),
  'index': ('Index', tables.index),
  'service': ('Service', tables.service),
  'duplicates': ('Duplicates', tables.duplicates),
}


def text(folder: pathlib.Path) -> str:
  """All parts that `folder` has results of, each with its machine."""
  parts = []
  for name, (title, render) in _PARTS.items():
    found = _read(folder / f'{name}.json')
    if found:
      about = markdown.machine(found['machine'])
      parts += [f'## {title}', about, render(found['results'])]
  return markdown.paragraphs(*parts)


def _read(path: pathlib.Path) -> dict | None:
  try:
    return json.loads(path.read_text())
  except FileNotFoundError:
    return None
  except ValueError as error:
    raise errors.UserError(
      f'{path}: is not readable JSON ({error}); remove it and measure that '
      'part again.'
    ) from error


def replace_block(path: pathlib.Path, content: str) -> None:
  """Puts `content` between the two marks in the file `path`.

  Raises:
    UserError: they are not there, once each and in order.
  """
  before, begin, rest = path.read_text().partition(BEGIN)
  old, end, after = rest.partition(END)
  if not (begin and end) or BEGIN in old + after or END in after:
    raise errors.UserError(
      f'{path}: needs the lines {BEGIN} and {END}, once each, between which '
      'the tables go; put them back.'
    )
  middle = f'\n{content}\n' if content else '\n'
  atomic.write_text(path, f'{before}{BEGIN}{middle}{END}{after}')


def rewrite() -> None:
  """Writes benchmarks/README.md from the results that are there."""
  replace_block(README, text(RESULTS))


if __name__ == '__main__':
  errors.run_main(rewrite)
