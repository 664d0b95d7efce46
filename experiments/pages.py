"""Markdown tables from the files of results, beside the paper's numbers.

  python -m experiments.pages [--results=DIR]

Writes results/*.md, and the marked blocks of the project's README.md and of
docs/results.md with them.
Mean and standard deviation over seeds; '-' where a cell is missing.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from experiments import cells, paper, paper_tables, records, settings, summary
from nph_jax import atomic, errors

READMES = tuple(cells.ROOT / name for name in ('README.md', 'docs/results.md'))
_KS = (5, 10, 20, 40, 60, 80, 100)


def by_k(results: records.Results, bits: int) -> str:
  """mAP@K at one code length: a row for each method, a column for each K."""
  rows = [
    results.row(method, bits, _KS)
    for method in results.methods
    if results.of(method, bits)
  ]
  return records.markdown(['', *(f'@{k}' for k in _KS)], rows)


def about_codes(results: records.Results) -> str:
  """Bits, their use, what the sign costs, and the time."""
  header = [
    '', 'bits', 'bit entropy', 'bit correlation', 'distinct codes',
    'mAP@20 of codes / of t', 'steps', 'training, s',
  ]  # fmt: skip
  rows = []
  for bits in results.bits():
    for method in results.methods:
      group = [r for r in results.of(method, bits) if 'bit_entropy' in r]
      if group:
        rows.append([paper.display_name(method), str(bits), *_about(group)])
  return records.markdown(header, rows)


def _about(group: Sequence[records.Record]) -> list[str]:
  column = lambda name: [r[name] for r in group]  # noqa: E731
  ratios = []
  for record in group:
    real = records.map_at(record, settings.SUMMARY_K, 'map_relaxed')
    code = records.map_at(record, settings.SUMMARY_K)
    ratios.append(code / real if real else None)
  return [
    records.spread(column('bit_entropy')),
    records.spread(column('bit_correlation')),
    f'{np.mean(column("distinct_codes")):.0f}',
    records.spread(ratios, 2),
    '/'.join(map(str, sorted(set(column('steps'))))),
    f'{np.mean(column("train_seconds")):.0f}',
  ]


def dataset_page(name: str, results: records.Results) -> str:
  """All tables of the main grid on one data set."""
  methods, lengths = results.methods, results.bits()
  parts = [
    f'# {name}',
    records.origin(results),
    f'## mAP@{settings.SUMMARY_K} by code length',
    records.by_length(results, methods, lengths),
    records.BRACKETS,
  ]
  together = records.by_length(
    results,
    methods,
    lengths,
    'map_all_against_all',
    f'{records.PROTOCOL},exclude_self',
  )
  if together.count('\n') > 1:
    parts += [
      f'## mAP@{settings.SUMMARY_K}, all against all, self excluded',
      together,
    ]
  first = settings.FIRST_BITS
  if first in lengths:
    parts += [f'## mAP@K, {first} bits', by_k(results, first)]
  for bits in lengths:
    if published := paper.PUBLISHED.get((name, bits)):
      parts += [
        f'## {bits} bits, as published',
        paper_tables.beside(results, bits, methods, published, 'published'),
      ]
  parts += ['## The codes', about_codes(results)]
  return '\n\n'.join(parts) + '\n'


def every_page(results: pathlib.Path) -> dict[str, str]:
  """Every page of tables by name, from the files under `results`."""
  sets = _sets(results)
  found = {name: dataset_page(name, one) for name, one in sets.items()}
  found['headline'] = summary.headline(sets)
  found['summary'] = summary.page(sets)
  found['table3_ablation'] = paper_tables.ablation_page(sets)
  for name in paper_tables.TRANSFERS:
    found[name] = paper_tables.transfer_page(name, _sets(results / name))
  found['lengths'] = summary.lengths_page(_sets(results / 'lengths'))
  return {name: text for name, text in found.items() if text}


def _sets(folder: pathlib.Path) -> dict[str, records.Results]:
  """What lies in each folder itself, in the order of settings.DATASETS."""
  order = list(settings.DATASETS)
  names = {p.name for p in folder.glob('*') if p.is_dir()}
  names = [n for n in order if n in names] + sorted(names - set(order))
  found = {name: records.Results.read(folder / name) for name in names}
  return {name: results for name, results in found.items() if results}


def write_all(results: pathlib.Path) -> dict[str, str]:
  """Writes a page for each data set and experiment that has results.

  Returns:
    The pages by name.
  """
  found = every_page(results)
  for name, text in found.items():
    atomic.write_text(results / f'{name}.md', text)
  return found


def fill(results: pathlib.Path, readmes: Iterable[pathlib.Path]) -> None:
  """Writes all pages, and fills the marked blocks of `readmes` with them."""
  blocks = write_all(results)
  for path in readmes:
    atomic.write_text(path, filled(path.read_text(), blocks))


def filled(text: str, blocks: Mapping[str, str]) -> str:
  """`text` with its marked blocks filled anew.

  A block is what stands between `<!-- table NAME -->` and `<!-- end -->`; one
  without a page keeps what it has. Headings of a page go two levels down.
  """

  def fill(match: re.Match[str]) -> str:
    page = blocks.get(match['name'])
    if page is None:
      return match[0]
    page = re.sub(r'^#', '###', page.strip(), flags=re.MULTILINE)
    return f'{match["start"]}\n\n{page}\n\n<!-- end -->'

  pattern = r'(?P<start><!-- table (?P<name>\S+) -->).*?<!-- end -->'
  return re.sub(pattern, fill, text, flags=re.DOTALL)


def main(argv: Sequence[str] | None = None) -> None:
  """Writes all pages and fills the READMEs."""
  flags = errors.Parser(description='Tables.')
  default = cells.Folders().results
  flags.add_argument('--results', type=pathlib.Path, default=default)
  flags.add_argument('--readme', type=pathlib.Path, nargs='*', default=READMES)
  known = flags.parse_args(argv)
  fill(known.results, known.readme)


if __name__ == '__main__':
  errors.run_main(main)
