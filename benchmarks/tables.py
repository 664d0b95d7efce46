"""Each part's results as Markdown, training step and encoding apart.

Each function takes the results of the part of its name, as its JSON file has
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.markdown import gib, grid, paragraphs, size

Results = Mapping[str, Any]
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
_SENT = {'id': 'an id (search)', 'features': 'features (hashing and search)'}


def evaluate(results: Results) -> str:
  """Seconds and memory by the number of codes."""
  each = zip(results['num_codes'], results['seconds'], results['peak_bytes'])
  return paragraphs(
    f'Random codes of {results["num_bits"]} bits against themselves, every '
    'protocol, with and without self:',
    grid(
      ['codes', 'seconds', 'peak, GiB'],
      [
        [f'{count:,}', f'{taken:.2f}', gib(peak)] for count, taken, peak in each
      ],
    ),
    'Seconds grow with the number of codes to the power '
    f'{results["slope"]:.2f}.',
  )


def pipeline(results: Results) -> str:
  """Videos a second by residency, and the overhead of streaming."""
  alone = [
    [
      name,
      f'{values["first_batch"]:.1f}',
      f'{values["videos_per_second"]:,.0f}',
      gib(values['bytes_before']),
      gib(values['peak_bytes']),
    ]
    for name, values in results['alone'].items()
  ]
  steps = [
    [
      name,
      *(f'{values["seconds"][source]:.3f}' for source in ('memory', 'stream')),
      f'{values["overhead"]:+.1%}',
    ]
    for name, values in results['steps'].items()
  ]
  header = ['first batch, s', 'videos/s', 'before, GiB', 'peak, GiB']
  return paragraphs(
    f'Batches of {size("made-up videos", results["size"])}, '
    f'{results["num_videos"]:,} videos in the page cache; memory before the '
    'first batch, and the most. On the device a batch is its row numbers:',
    grid(['residency', *header], alone),
    'Seconds of a step:',
    grid(['', 'batch in memory', 'streamed', 'overhead'], steps),
  )


def index(results: Results) -> str:
  """The exact index beside faiss, then the other engines beside it."""
  sizes, asymmetric = results['flat'], results.get('asymmetric')
  parts = [
    f'Random codes of {results["num_bits"]} bits, the nearest {results["k"]}, '
    f'batches of {results["batch"]}; faiss with a thread for each core, and '
    'with one:',
    _searches(sizes),
    'Times as long as faiss with a thread for each core, median:',
    grid(['codes', 'batches', 'single queries'], map(_beside_faiss, sizes)),
    'Build, until all of it is on disk; open, and the memory that it holds '
    'then:',
    grid(
      ['codes', 'build, s', 'faiss add, s', 'open, s', 'MB per million'],
      map(_build, sizes),
    ),
  ]
  if asymmetric:  # not in older results
    parts += [
      'By t . b beside by distance, hits with their metadata, one thread; '
      'faiss alone beside them. FastScan alone finds '
      f'{asymmetric["fastscan_recall"]:.3f} of what is nearest:',
      _searches([asymmetric]),
    ]
  return paragraphs(
    *parts,
    'Codes in clusters; recall is the share of the results that are as near '
    'as those of the exact search:',
    grid(
      ['engine', 'codes', 'build, s', 'recall', 'queries/s', 'p50, ms',
       'p99, ms', 'flat: queries/s', 'p50, ms'],
      [_engine(name, of) for name, of in results['others'].items()],
    ),
  )  # fmt: skip


def _searches(sizes: Iterable[Results]) -> str:
  rows = [
    [f'{of["num_codes"]:,}', name, f'{rate:,.0f}', *_milliseconds(of, name)]
    for of in sizes
    for name, rate in of['queries_per_second'].items()
  ]
  return grid(['codes', 'search', 'queries/s', 'p50, ms', 'p99, ms'], rows)


def _milliseconds(of: Results, name: str) -> list[str]:
  return [f'{1000 * of["single"][name][p]:.2f}' for p in ('p50', 'p99')]


def _beside_faiss(of: Results) -> list[str]:
  rates, single = of['queries_per_second'], of['single']
  return [
    f'{of["num_codes"]:,}',
    f'{rates["faiss"] / rates["ours"]:.2f}',
    f'{single["ours"]["p50"] / single["faiss"]["p50"]:.2f}',
  ]


def _build(of: Results) -> list[str]:
  seconds = [f'{of[name]:.2f}' for name in ('build', 'faiss_build', 'open')]
  held = f'{of["bytes_per_million"] / 1e6:.0f}'
  return [f'{of["num_codes"]:,}', *seconds, held]


def _engine(name: str, of: Results) -> list[str]:
  rates = of['queries_per_second']
  return [
    name,
    f'{of["num_codes"]:,}',
    f'{of["build"]:.1f}',
    f'{of["recall"]:.3f}',
    f'{rates[name]:,.0f}',
    *_milliseconds(of, name),
    f'{rates["flat"]:,.0f}',
    _milliseconds(of, 'flat')[0],
  ]


def service(results: Results) -> str:
  """Queries a second and waiting times by what is sent and by whom."""
  videos = results['size']
  rows = [
    [
      _SENT[case['kind']],
      str(case['callers']),
      f'{case["added_per_second"]:.0f}' if case['adders'] else '-',
      f'{case["queries_per_second"]:.0f}',
      *(f'{1000 * case[p]:.1f}' for p in ('p50', 'p99')),
    ]
    for case in results['cases']
  ]
  lost = sum(case['lost'] for case in results['cases'])
  return paragraphs(
    f'`nph_jax.serve` over {results["num_videos"]:,} codes of '
    f'{videos["num_bits"]} bits, the nearest {results["k"]}; videos of '
    f'{videos["num_frames"]} x {videos["frame_dim"]}; '
    f'{results["seconds"]:g} s a row, clients on the same machine:',
    grid(
      ['sent', 'callers', 'added a second', 'answers a second', 'p50, ms',
       'p99, ms'],
      rows,
    ),
    f'Of the additions that were confirmed, {lost or "none"} were lost.',
  )  # fmt: skip


def duplicates(results: Results) -> str:
  """AP and recall by kind, and what is found by default."""
  scores, default = results['scores'], results['default']
  rows = []
  for kind in scores['checked']:
    found = default['found'].get(kind)
    rows.append(
      [kind]
      + [_pair(by_kind[kind]) for by_kind in scores.values()]
      + ['' if found is None else f'{found} of 18']
      + [peer.get(kind, '') for peer in _PEERS.values()]
    )
  same = [_pair(x) for x in results['with_same_scene'].values()]
  rows.append(['the 14, same scenes too', *same, '', *([''] * len(_PEERS))])
  return paragraphs(
    'Copies of 18 videos (`python -m benchmarks.duplicates`) against '
    f'{results["videos"]:,} videos: average precision over all pairs / '
    'recall before the first false pair. `checked` is the distance that '
    '`nph-jax duplicates` decides by; `found` is what it finds by default '
    f'at the radius of these videos, {default["radius"]:.3f}, and with them '
    f'{default["false"]} of {default["pairs"]:,} pairs of a copy and a video '
    f'of another scene, the nearest of which is {default["nearest"]:.3f}. '
    'Where a copy shows another of the videos too, that one is left out. The '
    "two programs' figures are not of this run: they were measured earlier "
    'against 203 videos, where false pairs are fewer.',
    grid(['kind', *scores, 'found', *_PEERS], rows),
  )


def _pair(scores: tuple[float, float]) -> str:
  return ' / '.join(f'{x:.3f}'.lstrip('0') for x in scores)
