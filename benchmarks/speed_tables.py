"""Results beside PyTorch's as Markdown: training step and encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import gib, grid, paragraphs, size

Results = Mapping[str, Any]
_OURS = ('ours float32', 'ours bfloat16')


def step(results: Results) -> str:
  """Seconds, ratios, the floor, and the first step with its memory."""
  names = list(
    dict.fromkeys(
      name for x in results.values() for name in (*x['seconds'], *x['missing'])
    )
  )
  seconds = {name: x['seconds'] for name, x in results.items()}
  rows = [
    [size(name, x['size']), *(_seconds(x, other) for other in names)]
    for name, x in results.items()
  ]
  return paragraphs(
    'Seconds of one training step, median of runs in turns:',
    grid(['size', *names], rows),
    'Times as fast as:',
    _ratios(seconds, names),
    "The floor: FLOPs of the matrix products at the machine's own rate, or "
    'the bytes at its copy rate, whichever takes longer.',
    _floor(results),
    "The machine's rates beside each size, GFLOP/s of large products and GB/s "
    'of a copy:',
    _rates(results),
    'From the start of a process to the end of its first step, caches of '
    'compiled programs empty and, for ours, filled by that; peak memory:',
    _starts(results),
  )


def methods(results: Results) -> str:
  """Seconds of a step of each method, by precision."""
  precisions = [*next(iter(results['seconds'].values()))]
  rows = [
    [name, *(f'{x[each]:.3f}' if each in x else '-' for each in precisions)]
    for name, x in results['seconds'].items()
  ]
  return paragraphs(
    f'{size("fcvid", results["size"])}. Seconds, median of runs in turns:',
    grid(['', *precisions], rows),
  )


def _seconds(values: Results, name: str) -> str:
  return values['missing'].get(name) or f'{values["seconds"][name]:.3f}'


def _ratios(
  seconds: Mapping[str, Mapping[str, float]], names: Sequence[str]
) -> str:
  """How many times as fast ours is."""
  others = [name for name in names if name not in _OURS]
  rows = [
    [f'{name}, {own}']
    + [f'{x[other] / x[own]:.1f}' if other in x else '-' for other in others]
    for name, x in seconds.items()
    for own in _OURS
  ]
  return grid(['', *others], rows)


def _floor(results: Results) -> str:
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
  return grid(['', 'GFLOP', 'GB', 'floor, s', 'measured, s', 'reached'], rows)


def _rates(results: Results) -> str:
  sizes = [values['rates'] for values in results.values()]
  rows = [
    [name, *(f'{rates[name] / 1e9:.0f}' for rates in sizes)]
    for name in sizes[0]
  ]
  return grid(['', *results], rows)


def _starts(results: Results) -> str:
  rows = []
  for name, values in results.items():
    for who, first in values['first_step'].items():
      again = values['first_step_again'].get(who)
      shown = [f'{first:.1f}', f'{again:.1f}' if again else '-']
      rows.append([f'{name}, {who}', *shown, gib(values['peak_bytes'][who])])
  return grid(['', 'first step, s', 'again, s', 'peak, GiB'], rows)


def encode(results: Results) -> str:
  """Videos a second by batch, ratios, start and memory."""
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
  starts = []
  for name, values in results.items():
    for who, first in values['first_code'].items():
      again = values.get('first_code_again', {}).get(who)
      shown = [f'{first:.2f}', f'{again:.2f}' if again else '-']
      starts.append([f'{name}, {who}', *shown, gib(values['peak_bytes'][who])])
  return paragraphs(
    'Videos hashed a second (autoencoder, anchors, encoder):',
    grid(
      ['', *names],
      [
        [name, *(f'{x[who]:.0f}' for who in names)] for name, x in rates.items()
      ],
    ),
    'Times as fast as:',
    _ratios(seconds, names),
    'Seconds to the first code after loading, caches of compiled programs '
    'empty and then filled by that, and the most memory held:',
    grid(['', 'first code, s', 'again, s', 'peak, GiB'], starts),
  )


def gpu(results: Results) -> str:
  """Checks, milliseconds of a step, and encoding, on an accelerator."""
  rows, rates = results['rows'], results['rates']
  encoded = {k: x for k, x in rows.items() if k.endswith('encode')}
  return paragraphs(
    f'{results["device"]}: {rates["jax bfloat16"] / 1e12:.0f} TFLOP/s of '
    f'bfloat16 products, {rates["jax float32"] / 1e12:.0f} of float32 ones as '
    f'jax has them by default, {rates["link"] / 1e9:.0f} GB/s from the host. '
    'Against a CPU: the largest error of a gradient, and the largest |t| of a '
    "bit that differs, as parts of the gradient's and the video's largest:",
    grid(
      ['', 'found', 'at most', 'bits that differ', 'of'],
      [
        [name, f'{x["found"]:.1e}', f'{x["limit"]:.0e}']
        + [f'{x[key]:,}' if key in x else '-' for key in ('bits', 'of')]
        for name, x in results['checks'].items()
      ],
    ),
    'Milliseconds of a step, frames on the device unless it says otherwise; '
    'ours in float32 has TF32 products, PyTorch exact ones:',
    grid(
      ['', 'ms', 'first call, s'],
      [
        [name, x.get('missing') or f'{x["milliseconds"]:.2f}', _first(x)]
        for name, x in rows.items()
        if name not in encoded
      ],
    ),
    'Videos hashed a second, and milliseconds of one video from the host:',
    grid(
      ['', 'from the host', 'on the device', 'one video, ms', 'first call, s'],
      [[name, *_encoded(x), _first(x)] for name, x in encoded.items()],
    ),
  )


def _first(row: Results) -> str:
  return f'{row["first"]:.1f}' if 'first' in row else '-'


def _encoded(row: Results) -> list[str]:
  if 'missing' in row:
    return [row['missing'], '-', '-']
  found = row['videos_per_second']
  shown = [
    f'{found[x]:,.0f}' if x in found else '-'
    for x in ('from the host', 'on the device')
  ]
  return [*shown, f'{row["one_video_ms"]:.1f}']
