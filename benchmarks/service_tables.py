"""The service's results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks import markdown


def service(results: Mapping[str, Any]) -> str:
  """Queries a second and waiting times by what is sent and by whom."""
  size = results['size']
  rows = [
    [
      _SENT[case['kind']],
      str(case['callers']),
      f'{case["added_per_second"]:.0f}' if case['adders'] else '-',
      f'{case["queries_per_second"]:.0f}',
      f'{1000 * case["p50"]:.1f}',
      f'{1000 * case["p99"]:.1f}',
    ]
    for case in results['cases']
  ]
  lost = sum(case['lost'] for case in results['cases'])
  return '\n\n'.join(
    [
      f'`nph_jax.serve` over {results["num_videos"]:,} codes of '
      f'{size["num_bits"]} bits, the nearest {results["k"]}; videos of '
      f'{size["num_frames"]} x {size["frame_dim"]}; '
      f'{results["seconds"]:g} s a row, clients on the same machine:',
      markdown.grid(
        ['sent', 'callers', 'added a second', 'answers a second', 'p50, ms',
         'p99, ms'],
        rows,
      ),
      f'Of the additions that were confirmed, {lost or "none"} were lost.',
    ]
  )  # fmt: skip


_SENT = {'id': 'an id (search)', 'features': 'features (hashing and search)'}
