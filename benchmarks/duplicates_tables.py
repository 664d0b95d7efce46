"""Results of benchmarks.duplicates as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks import markdown

# AP, and recall before the first false pair, as measured earlier on the first
# 14 kinds against 203 videos; not run here: they want Pillow below 10 and
# FFmpeg, and FFmpeg's headers and a compiler.
_PEERS = {
  'videohash 3.0.1': {
    'the 14': '.458 / .12', 'middle': '.01', 'grey': '.01', '1.25 x': '.09',
    'inset': '.23',
  },
  'vpdq 0.2.5': {
    'the 14': '.811 / .75', 'mirror': '.01', 'inset': '.22',
    'crop 25 %': '.37', 'letterbox': '.65',
  },
}  # fmt: skip


def duplicates(results: Mapping[str, Any]) -> str:
  """AP and recall by kind, and what is found by default."""
  scores, default = results['scores'], results['default']
  rows = []
  for kind in scores['aligned']:
    found = default['found'].get(kind)
    rows.append(
      [kind]
      + [_pair(by_kind[kind]) for by_kind in scores.values()]
      + ['' if found is None else f'{found} of 18']
      + [peer.get(kind, '') for peer in _PEERS.values()]
    )
  same = [_pair(x) for x in results['with_same_scene'].values()]
  rows.append(['the 14, same scenes too', *same, '', *([''] * len(_PEERS))])
  low, high = default['radius']
  return '\n\n'.join(
    [
      'Copies of 18 videos (`python -m benchmarks.duplicates`) against '
      f'{results["videos"]:,} videos: average precision over all pairs / '
      'recall before the first false pair. `aligned` is the distance that '
      '`nph-jax duplicates` decides by; `found` is what it finds by default '
      'with the copies of one kind in the library, at a radius of '
      f'{low:.3f} to {high:.3f}, and with them, in all kinds together, '
      f'{default["false"]} pairs of a copy and a video of another scene. Where '
      'a copy shows another of the videos too, that one is left out. The '
      "two programs' figures are not of this run: they were measured earlier "
      'against 203 videos, where false pairs are fewer.',
      markdown.grid(['kind', *scores, 'found', *_PEERS], rows),
    ]
  )


def _pair(scores: tuple[float, float]) -> str:
  return ' / '.join(f'{x:.3f}'.lstrip('0') for x in scores)
