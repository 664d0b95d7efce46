"""The tables in benchmarks/README.md, from the results on each processor.

python -m benchmarks.table
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from benchmarks import machine, markdown, speed_tables, tables
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


def write(
  folder: pathlib.Path,
  name: str,
  about: Mapping[str, Any],
  results: Mapping[str, Any],
) -> pathlib.Path:
  """Writes what a part found to the folder of its processor; the path.

  Args:
    folder: of all results.
    name: of the part.
    about: of machine.describe, and more.
    results: as the part's table reads them.
  """
  path = folder / machine.folder(about) / f'{name}.json'
  path.parent.mkdir(parents=True, exist_ok=True)
  atomic.write_json(path, {'machine': about, 'results': results})
  return path


def text(folder: pathlib.Path) -> str:
  """All parts that `folder` has results of, on each processor."""
  parts = []
  for name, (title, render) in _PARTS.items():
    found = [_read(x) for x in sorted(folder.glob(f'*/{name}.json'))]
    parts += [f'## {title}'] if found else []
    for one in found:
      parts += [markdown.machine(one['machine']), render(one['results'])]
  return markdown.paragraphs(*parts)


def _read(path: pathlib.Path) -> dict[str, Any]:
  try:
    return json.loads(path.read_text())
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
