"""Results of our own parts as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks import markdown


def methods(results: Mapping[str, Any]) -> str:
  """Seconds of a step of each method, by precision."""
  rows = [
    [name, *(f'{s:.3f}' for s in seconds.values())]
    for name, seconds in results['seconds'].items()
  ]
  precisions = [*next(iter(results['seconds'].values()))]
  what = markdown.size('fcvid', results['size'])
  return (
    f'{what}. Seconds, median of runs in turns:\n\n'
    f'{markdown.grid(["", *precisions], rows)}'
  )


def preprocess(results: Mapping[str, Any]) -> str:
  """Seconds of each phase by the number of videos."""
  counts, size = results['num_videos'], results['size']
  rows = [
    [phase, *(f'{s:.2f}' for s in seconds), f'{results["slope"][phase]:.2f}']
    for phase, seconds in results['seconds'].items()
  ]
  peaks = [markdown.gib(peak) for peak in results['peak_bytes']]
  return '\n\n'.join(
    [
      f'Frames {size["num_frames"]} x {size["frame_dim"]}, '
      f'{results["num_anchors"]} anchors; seconds by the number of videos N, '
      'and the exponent of their growth with N:',
      markdown.grid(
        ['', *map('{:,}'.format, counts), 'slope'],
        [*rows, ['peak, GiB', *peaks, '']],
      ),
      _kmeans(results['kmeans']),
    ]
  )


def _kmeans(kmeans: Mapping[str, Any]) -> str:
  what = f'K-means of {kmeans["wanted"]:,} y'
  if kmeans['num_videos'] is None:
    return f'{what}: not measured, it takes too long here.'
  peak = f'{markdown.gib(kmeans["peak_bytes"])} GiB'
  if kmeans['num_videos'] == kmeans['wanted']:
    return f'{what}: {kmeans["seconds"]:.0f} s, {peak}.'
  return (
    f'{what}: {kmeans["in_all"]:.0f} s, extrapolated in proportion from '
    f'{kmeans["seconds"]:.0f} s for {kmeans["num_videos"]:,} ({peak}).'
  )


def evaluate(results: Mapping[str, Any]) -> str:
  """Seconds and memory by the number of codes."""
  rows = [
    [f'{count:,}', f'{seconds:.2f}', markdown.gib(peak)]
    for count, seconds, peak in zip(
      results['num_codes'], results['seconds'], results['peak_bytes']
    )
  ]
  return '\n\n'.join(
    [
      f'Random codes of {results["num_bits"]} bits against themselves, every '
      'protocol, with and without self:',
      markdown.grid(['codes', 'seconds', 'peak, GiB'], rows),
      f'Seconds grow with the number of codes to the power '
      f'{results["slope"]:.2f}.',
    ]
  )


def pipeline(results: Mapping[str, Any]) -> str:
  """Videos a second by residency, and the overhead of streaming."""
  rows = [
    [
      name,
      f'{values["first_batch"]:.1f}',
      f'{values["videos_per_second"]:,.0f}',
      markdown.gib(values['bytes_before']),
      markdown.gib(values['peak_bytes']),
    ]
    for name, values in results['alone'].items()
  ]
  steps = [
    [
      name,
      f'{values["seconds"]["memory"]:.3f}',
      f'{values["seconds"]["stream"]:.3f}',
      f'{values["overhead"]:+.1%}',
    ]
    for name, values in results['steps'].items()
  ]
  header = ['first batch, s', 'videos/s', 'before, GiB', 'peak, GiB']
  return '\n\n'.join(
    [
      f'Batches of {markdown.size("made-up videos", results["size"])}, '
      f'{results["num_videos"]:,} videos in the page cache; memory before the '
      'first batch, and the most. On the device a batch is its row numbers:',
      markdown.grid(['residency', *header], rows),
      'Seconds of a step:',
      markdown.grid(['', 'batch in memory', 'streamed', 'overhead'], steps),
    ]
  )


def communication(results: Mapping[str, Any]) -> str:
  """Bytes that devices exchange in a step."""
  rows = [
    [
      name,
      f'{values["parameters"]:,}',
      *(f'{values["bytes"].get(k, 0):,}' for k in ('psum', 'all_gather')),
    ]
    for name, values in results.items()
  ]
  devices = next(iter(results.values()))['devices']
  return '\n\n'.join(
    [
      f'Bytes that each of {devices} devices gives to the sums and gatherings '
      'of one step, counted in the traced program; all but some 100 kB of the '
      'sums are the gradients, whatever the number of devices:',
      markdown.grid(['size', 'parameters', 'summed', 'gathered'], rows),
    ]
  )
