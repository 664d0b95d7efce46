"""Results of the index as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks import markdown


def index(results: Mapping[str, Any]) -> str:
  """The exact index beside faiss, then the other engines beside it."""
  sizes = results['flat']
  built = ['codes', 'build, s', 'faiss add, s', 'open, s', 'MB per million']
  return '\n\n'.join(
    [
      f'Random codes of {results["num_bits"]} bits, the nearest '
      f'{results["k"]}, batches of {results["batch"]}; faiss with a thread for '
      'each core, and with one:',
      markdown.grid(
        ['codes', 'search', 'queries/s', 'p50, ms', 'p99, ms'],
        [row for size in sizes for row in _searches(size)],
      ),
      'Times as long as faiss with a thread for each core, median:',
      markdown.grid(
        ['codes', 'batches', 'single queries'], list(map(_ratio, sizes))
      ),
      'Build, until all of it is on disk; open, and the memory that it holds '
      'then:',
      markdown.grid(
        built, list(map(_build, sizes))
      ),
      *_asymmetric(results),
      'Codes in clusters; recall is the share of the results that are as near '
      'as those of the exact search:',
      markdown.grid(
        ['engine', 'codes', 'build, s', 'recall', 'queries/s', 'p50, ms',
         'p99, ms', 'flat: queries/s', 'p50, ms'],
        [_other(name, of) for name, of in results['others'].items()],
      ),
    ]
  )  # fmt: skip


def _asymmetric(results: Mapping[str, Any]) -> list[str]:
  found = results.get('asymmetric')
  if found is None:  # measured before there was any
    return []
  return [
    'By t . b beside by distance, hits with their metadata, one thread; faiss '
    'alone beside them. FastScan alone finds '
    f'{found["fastscan_recall"]:.3f} of what is nearest:',
    markdown.grid(
      ['codes', 'search', 'queries/s', 'p50, ms', 'p99, ms'], _searches(found)
    ),
  ]


def _searches(size: Mapping[str, Any]) -> list[list[str]]:
  return [
    [f'{size["num_codes"]:,}', name, f'{rate:,.0f}', *_milliseconds(size, name)]
    for name, rate in size['queries_per_second'].items()
  ]


def _milliseconds(size: Mapping[str, Any], name: str) -> list[str]:
  return [f'{1000 * size["single"][name][p]:.2f}' for p in ('p50', 'p99')]


def _ratio(size: Mapping[str, Any]) -> list[str]:
  rates, single = size['queries_per_second'], size['single']
  return [
    f'{size["num_codes"]:,}',
    f'{rates["faiss"] / rates["ours"]:.2f}',
    f'{single["ours"]["p50"] / single["faiss"]["p50"]:.2f}',
  ]


def _build(size: Mapping[str, Any]) -> list[str]:
  return [
    f'{size["num_codes"]:,}',
    f'{size["build"]:.2f}',
    f'{size["faiss_build"]:.2f}',
    f'{size["open"]:.2f}',
    f'{size["bytes_per_million"] / 1e6:.0f}',
  ]


def _other(name: str, of: Mapping[str, Any]) -> list[str]:
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
