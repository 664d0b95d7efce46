"""Figure 4: precision against recall by Hamming radius, one panel a length.

  python -m experiments.figure4_pr [--config=configs/moving_digits.py]

The cells are those of figure3_map. Precision and recall at each radius are
means over seeds. Writes results/DATASET-pr.svg.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from experiments import command_line, grid, paper, records, settings
from nph_jax import atomic, errors


def mean_curve(
  records: Sequence[records.Record],
) -> tuple[np.ndarray, np.ndarray]:
  """Recall and precision by radius, means over the records of some seeds."""
  curves = [record['pr_curve'] for record in records]
  recall = np.mean([curve['recall'] for curve in curves], axis=0)
  precision = np.mean([curve['precision'] for curve in curves], axis=0)
  return recall, precision


def draw(
  path: pathlib.Path,
  results: records.Results,
  methods: Sequence[str],
  lengths: Sequence[int],
) -> None:
  """Draws a panel for each of `lengths`, a curve for each of `methods`."""
  import matplotlib
  from matplotlib import figure

  plot = figure.Figure(figsize=(4 * len(lengths), 3.6), layout='constrained')
  panels = plot.subplots(1, len(lengths), squeeze=False, sharey=True)[0]
  for axes, bits in zip(panels, lengths):
    for number, method in enumerate(methods):
      if records := results.of(method, bits):
        axes.plot(
          *mean_curve(records),
          color=f'C{number}',
          label=paper.display_name(method),
        )
    axes.set(title=f'{bits} bits', xlabel='recall', xlim=(0, 1))
    axes.grid(alpha=0.3)
    if axes.lines:
      axes.legend(fontsize='small')
  panels[0].set(ylabel='precision', ylim=(0, 1))
  # The same file for the same numbers.
  with (
    matplotlib.rc_context({'svg.hashsalt': 'figure4'}),
    atomic.replacing(path) as temporary,
  ):
    plot.savefig(temporary, metadata={'Date': None})


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing and draws a figure for each data set."""
  flags = command_line.parser('Precision-recall curves.')
  chosen = command_line.options(flags, argv)
  pairs = grid.pairs(chosen, settings.PR_METHODS, settings.BITS)
  methods, lengths = (list(dict.fromkeys(values)) for values in zip(*pairs))
  grid.run_all(chosen, lambda dataset, seed: dataset.cells(pairs, seed))
  folder = chosen.folders.results
  for dataset in chosen.datasets:
    path = folder / f'{dataset.name}-pr.svg'
    draw(path, records.Results.read(folder / dataset.name), methods, lengths)
    print(path)


if __name__ == '__main__':
  errors.run_main(main)
