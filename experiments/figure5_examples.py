"""Figure 5: the ten nearest videos of some queries, hits and misses marked.

  python -m experiments.figure5_examples [--config=...] [--queries=0,7,19] \
    [--videos=DIR]

Two methods above each other, 64 bits, the first seed. A query's and its
results' middle frames where features are pixels (moving_digits) or the videos
are under DIR (thumbnails.py), their classes and distances everywhere; green is
a hit, red a miss. Without --queries: the first ones of different labels, those
with a picture before others. Writes results/DATASET-examples.png.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments import (
  cells,
  command_line,
  grid,
  paper,
  settings,
  thumbnails,
)
from nph_jax import atomic, errors
from nph_jax.retrieval import hamming

_TOP = 10
_SPLITS = ('query', 'database')
_HIT, _MISS = 'tab:green', 'tab:red'


def nearest(query: np.ndarray, database: np.ndarray, count: int) -> np.ndarray:
  """The database rows nearest to each query, ties by row.

  Args:
    query: packed codes, [Q, P].
    database: likewise, [N, P].
    count: of rows.

  Returns:
    (rows, distances), each [Q, count].
  """
  distances = hamming.hamming_distances(query, database)
  rows = np.argsort(distances, axis=1, kind='stable')[:, :count]
  return rows, np.take_along_axis(distances, rows, axis=1)


def different_queries(labels: np.ndarray, count: int) -> list[int]:
  """The first `count` rows whose labels differ from all before them."""
  seen, rows = set(), []
  for row, label in enumerate(labels):
    if label.tobytes() not in seen:
      seen.add(label.tobytes())
      rows.append(row)
  return rows[:count]


def codes(cell: cells.Cell, folders: cells.Folders) -> list[np.ndarray]:
  """A cell's codes of query and database; it runs again if they are gone."""
  from experiments import running  # slow; wrong flags fail before

  paths = [running.codes_path(cell, folders, s) for s in ('query', 'database')]
  grid.run_again(cell, folders, paths)
  return [np.load(path) for path in paths]


def draw(
  path: pathlib.Path,
  splits: dict[str, Any],
  queries: Sequence[int],
  found: dict[str, tuple[np.ndarray, np.ndarray]],
  pictures: Mapping[str, thumbnails.Picture],
) -> None:
  """Draws a block of rows for each query: one row a method.

  Args:
    path: of the picture.
    splits: 'query' and 'database', with `read`.
    queries: rows of the query split.
    found: by method, the rows and distances of `nearest` for `queries`.
    pictures: of the videos of either split.
  """
  from matplotlib import figure

  count = len(queries) * len(found)
  plot = figure.Figure(figsize=(_TOP + 1.6, 1.25 * count), layout='constrained')
  panels = plot.subplots(count, _TOP + 1, squeeze=False)
  asked = splits['query'].read(queries)
  for number in range(len(queries)):
    label = asked['labels'][number]
    for line, (method, (rows, distances)) in enumerate(found.items()):
      row = panels[number * len(found) + line]
      shown = pictures['query'](queries[number], asked['frames'][number])
      _tile(row[0], shown, label, 'black')
      row[0].set_ylabel(paper.display_name(method), fontsize='small')
      near = splits['database'].read(rows[number])
      for place, axes in enumerate(row[1:]):
        other = near['labels'][place]
        color = _HIT if (label & other).any() else _MISS
        shown = pictures['database'](rows[number][place], near['frames'][place])
        _tile(axes, shown, other, color, int(distances[number][place]))
  with atomic.replacing(path) as temporary:
    plot.savefig(temporary, dpi=100)


def _tile(
  axes: Any,
  picture: np.ndarray | None,
  label: np.ndarray,
  color: str,
  distance: int | None = None,
) -> None:
  """One video: its picture if there is one, its classes, a border."""
  if picture is not None:
    axes.imshow(picture, cmap='gray')
  names = ', '.join(map(str, np.flatnonzero(label)))
  text = names if distance is None else f'{names} ({distance})'
  axes.set_title(text, fontsize='small', pad=2)
  axes.set_xticks([])
  axes.set_yticks([])
  for side in axes.spines.values():
    side.set(color=color, linewidth=3)


def _pictures(
  job: Any, folder: pathlib.Path | None
) -> tuple[dict[str, thumbnails.Picture], dict[str, list[int]]]:
  """For query and database: pictures, and the rows that have one."""
  if job.spec.name == 'moving_digits':
    return dict.fromkeys(_SPLITS, thumbnails.of_pixels), {}
  found = {
    name: thumbnails.paths(job.spec.split(name), name, folder) if folder else []
    for name in _SPLITS
  }
  pictures = {name: thumbnails.of_files(paths) for name, paths in found.items()}
  rows = {k: [i for i, p in enumerate(v) if p] for k, v in found.items()}
  return pictures, rows


def main(argv: Sequence[str] | None = None) -> None:
  """Runs the cells if need be and draws a figure for each data set."""
  from nph_jax.stages.job import open_job  # slow; --help needs none of it

  flags = command_line.parser('The nearest videos of some queries.')
  flags.add_argument('--queries', type=command_line.numbers, default=())
  flags.add_argument('--videos', type=pathlib.Path, help='their folder')
  chosen = command_line.options(flags, argv)
  methods = grid.available(chosen.methods or settings.EXAMPLE_METHODS)
  folder = chosen.flags.videos
  if folder and not folder.is_dir():
    raise errors.UserError(f'--videos={folder}: no such folder.')
  grid.set_up()
  bits = (chosen.bits or [settings.EXAMPLE_BITS])[0]
  for dataset in chosen.datasets:
    pairs = [(method, bits) for method in methods]
    made = dataset.cells(pairs, chosen.seeds[0])
    found_codes = [codes(cell, chosen.folders) for cell in made]
    cell = dataset.cells([('cosine', 0)], chosen.seeds[0])[0]
    workdir = str(cell.workdir(chosen.folders))
    job = open_job(cell.config(chosen.folders), workdir)
    splits = job.dataset.splits
    pictures, pictured = _pictures(job, folder)
    queries = list(chosen.flags.queries) or _default_queries(
      splits['query'], pictured.get('query', ())
    )
    beyond = [row for row in queries if row >= splits['query'].num_videos]
    if beyond:
      raise errors.UserError(
        f'--queries={beyond[0]}: {dataset.name} has '
        f'{splits["query"].num_videos} queries, counted from 0.'
      )
    found = {
      method: nearest(query[queries], database, _TOP)
      for method, (query, database) in zip(methods, found_codes)
    }
    path = chosen.folders.results / f'{dataset.name}-examples.png'
    draw(path, splits, queries, found, pictures)
    print(path)


def _default_queries(split: Any, first: Sequence[int]) -> list[int]:
  others = set(range(min(split.num_videos, 1000))) - set(first)
  rows = [*first, *sorted(others)]
  labels = split.read(rows)['labels']
  chosen = different_queries(labels, settings.EXAMPLE_QUERIES)
  return [rows[place] for place in chosen]


if __name__ == '__main__':
  errors.run_main(main)
