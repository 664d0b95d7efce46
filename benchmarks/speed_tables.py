"""Results beside PyTorch's as Markdown: training step and encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import markdown

_OURS = ('ours float32', 'ours bfloat16')


def step(results: Mapping[str, Any]) -> str:
  """Seconds, ratios, the floor, and the first step with its memory."""
  return '\n\n'.join(
    [
      step_summary(results),
      "The floor: FLOPs of the matrix products at the machine's own rate, or "
      'the bytes at its copy rate, whichever takes longer.',
      _floor(results),
      _rates(results),
      'From the start of a process to the end of its first step, caches of '
      'compiled programs empty and, for ours, filled by that; peak memory:',
      _starts(results),
    ]
  )


def step_summary(results: Mapping[str, Any]) -> str:
  """Seconds of a step, and how many times as fast ours is."""
  names = list(
    dict.fromkeys(
      name
      for values in results.values()
      for name in (*values['seconds'], *values['missing'])
    )
  )
  rows = [
    [markdown.size(size, x['size']), *(_seconds(x, name) for name in names)]
    for size, x in results.items()
  ]
  return '\n\n'.join(
    [
      'Seconds of one training step, median of runs in turns:',
      markdown.grid(['size', *names], rows),
      'Times as fast as:',
      _ratios(
        {size: values['seconds'] for size, values in results.items()}, names
      ),
    ]
  )


def _seconds(values: Mapping[str, Any], name: str) -> str:
  if name in values['missing']:
    return values['missing'][name]
  return f'{values["seconds"][name]:.3f}'


def _ratios(
  seconds: Mapping[str, Mapping[str, float]], names: Sequence[str]
) -> str:
  others = [name for name in names if name not in _OURS]
  rows = [
    [f'{size}, {own}', *(_ratio(values, own, other) for other in others)]
    for size, values in seconds.items()
    for own in _OURS
  ]
  return markdown.grid(['', *others], rows)


def _ratio(values: Mapping[str, float], own: str, other: str) -> str:
  return f'{values[other] / values[own]:.1f}' if other in values else '-'


def _floor(results: Mapping[str, Any]) -> str:
  rows = [
    [
      f'{size}, {name}',
      f'{floor["flops"] / 1e9:.1f}',
      f'{floor["bytes"] / 1e9:.2f}',
      f'{floor["seconds"]:.3f}',
      f'{values["seconds"][name]:.3f}',
      f'{floor["fraction"]:.0%}',
    ]
    for size, values in results.items()
    for name, floor in values['floor'].items()
  ]
  return markdown.grid(
    ['', 'GFLOP', 'GB', 'floor, s', 'measured, s', 'reached'], rows
  )


def _rates(results: Mapping[str, Any]) -> str:
  sizes = [values['rates'] for values in results.values()]
  rows = [
    [name, *(f'{rates[name] / 1e9:.0f}' for rates in sizes)]
    for name in sizes[0]
  ]
  return (
    "The machine's rates beside each size, GFLOP/s of large products and GB/s "
    f'of a copy:\n\n{markdown.grid(["", *results], rows)}'
  )


def _starts(results: Mapping[str, Any]) -> str:
  rows = []
  for size, values in results.items():
    for name, first in values['first_step'].items():
      again = values['first_step_again'].get(name)
      rows.append(
        [
          f'{size}, {name}',
          f'{first:.1f}',
          f'{again:.1f}' if again else '-',
          markdown.gib(values['peak_bytes'][name]),
        ]
      )
  return markdown.grid(['', 'first step, s', 'again, s', 'peak, GiB'], rows)


def encode(results: Mapping[str, Any]) -> str:
  """Videos a second by batch, ratios, start and memory."""
  starts = [
    [
      f'{size}, {name}',
      f'{values["first_code"][name]:.1f}',
      markdown.gib(values['peak_bytes'][name]),
    ]
    for size, values in results.items()
    for name in values['first_code']
  ]
  return '\n\n'.join(
    [
      encode_summary(results),
      'Seconds to the first code after loading, and the most memory held:',
      markdown.grid(['', 'first code, s', 'peak, GiB'], starts),
    ]
  )


def encode_summary(results: Mapping[str, Any]) -> str:
  """Videos a second by batch, and how many times as fast ours is."""
  rates = {
    f'{size}, batch {batch}': speeds
    for size, values in results.items()
    for batch, speeds in values['videos_per_second'].items()
  }
  seconds = {
    name: {who: 1 / speed for who, speed in speeds.items()}
    for name, speeds in rates.items()
  }
  names = list(next(iter(rates.values())))
  rows = [
    [name, *(f'{speeds[who]:.0f}' for who in names)]
    for name, speeds in rates.items()
  ]
  return '\n\n'.join(
    [
      'Videos hashed a second (autoencoder, anchors, encoder):',
      markdown.grid(['', *names], rows),
      'Times as fast as:',
      _ratios(seconds, names),
    ]
  )
