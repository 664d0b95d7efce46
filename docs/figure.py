"""The README's figure: what a code is, and whose codes are close.

  python -m docs.figure --run=runs/demo

Of the run that `make demo` leaves: the first query and, of the 1,000 videos of
its database, those at some ranks. Writes docs/figure.png.
"""

from __future__ import annotations

import json
import pathlib

import numpy as np

from nph_jax import atomic, errors
from nph_jax.data import moving_digits

OUT = pathlib.Path(__file__).with_name('figure.png')
_QUERY = 0
_RANKS = (1, 10, 100, 500, 1000)
_SHOWN = 6  # frames
_DARK, _LIGHT, _OTHER = '#263238', '#cfd8dc', '#d84315'


def draw(run: pathlib.Path, out: pathlib.Path) -> None:
  """Draws the query and some of the database, from nearest to farthest.

  Args:
    run: workdir of a run on moving_digits.
    out: the picture.
  """
  import matplotlib

  matplotlib.use('agg')
  from matplotlib import pyplot as plt

  query = _bits(run, 'query')[_QUERY]
  database = _bits(run, 'database')
  distances = (database != query).sum(axis=1)
  ranking = np.argsort(distances, kind='stable')
  rows = [('query', _QUERY, 'query')]
  rows += [('database', ranking[n - 1], f'rank {n}') for n in _RANKS]
  figure, axes = plt.subplots(
    len(rows), 2, figsize=(8, 3.3), width_ratios=(_SHOWN, 13)
  )
  for (left, right), (split, video, name) in zip(axes, rows):
    _frames(left, run, split, video)
    left.set_ylabel(name, rotation=0, ha='right', va='center')
    code = query if split == 'query' else database[video]
    distance = f'{distances[video]} bits differ'
    _code(right, code, query, '' if split == 'query' else distance)
  axes[0, 0].set_title('a video', fontsize=10)
  axes[0, 1].set_title(
    f'its code, {len(query)} bits', fontsize=10, loc='left', y=1.2
  )
  figure.tight_layout(pad=0.4)
  with atomic.replacing(out) as temporary:
    figure.savefig(temporary, dpi=120, format='png')
  plt.close(figure)


def _bits(run: pathlib.Path, split: str) -> np.ndarray:
  """Bits [N, K] of a split."""
  path = run / 'codes' / f'{split}.npy'
  try:
    return np.unpackbits(np.load(path), axis=1)
  except OSError as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error}); give --run the workdir that '
      '`make demo` leaves.'
    ) from error


def _frames(axis, run: pathlib.Path, split: str, video: int) -> None:
  config = json.loads((run / 'config.json').read_text())
  data = config['data']
  side = data['canvas']
  frames, _ = moving_digits.make_videos(
    split,
    int(video),
    int(video) + 1,
    seed=config['seed'],
    num_frames=data['num_frames'],
    canvas=side,
  )
  chosen = np.linspace(0, data['num_frames'] - 1, _SHOWN).round().astype(int)
  strip = np.zeros((side, _SHOWN * (side + 1) - 1)) + np.nan
  for place, pixels in enumerate(np.float32(frames[0, chosen])):
    start = place * (side + 1)
    strip[:, start : start + side] = pixels.reshape(side, side)
  axis.imshow(strip, cmap='gray', vmin=0, vmax=moving_digits.PEAK)
  _bare(axis)


def _code(axis, code: np.ndarray, query: np.ndarray, text: str) -> None:
  """Squares, dark for 1; a red edge where the query has the other bit."""
  for place, (bit, other) in enumerate(zip(code, query)):
    axis.add_patch(_square(place, _DARK if bit else _LIGHT, bit != other))
  axis.set_xlim(-0.2, len(code) + 8)
  axis.set_ylim(-0.3, 1.1)
  axis.set_aspect('equal')
  axis.text(len(code) + 0.6, 0.4, text, va='center', fontsize=9)
  _bare(axis)


def _square(place: int, color: str, differs: bool):
  from matplotlib import patches

  return patches.Rectangle(
    (place + 0.13, 0),
    0.74,
    0.74,
    facecolor=color,
    edgecolor=_OTHER if differs else color,
    linewidth=1.3 if differs else 0,
  )


def _bare(axis) -> None:
  axis.set_xticks([])
  axis.set_yticks([])
  axis.spines[:].set_visible(False)


def main() -> None:
  """Draws docs/figure.png."""
  parser = errors.Parser(prog='python -m docs.figure', allow_abbrev=False)
  parser.add_argument('--run', type=pathlib.Path, required=True)
  draw(parser.parse_args().run, OUT)


if __name__ == '__main__':
  errors.run_main(main)
