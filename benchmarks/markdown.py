"""Tables and the machine's description in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nph_jax.retrieval import report

_GIB = 2**30
_SHOWN_INSTRUCTIONS = ('avx2', 'avx512f', 'avx512_bf16', 'amx_bf16')


def machine(about: Mapping[str, Any]) -> str:
  """One sentence on where, when and with which code."""
  versions = ', '.join(f'{k} {v}' for k, v in about['versions'].items())
  has = [x for x in _SHOWN_INSTRUCTIONS if x in about['instructions']]
  numbers = [f'{x} {about[x]}' for x in ('family', 'model') if about[x]]
  cpu = ' '.join([about['cpu'], *numbers])
  commit = (about['commit'] or 'unknown')[:7]
  changed = ' with uncommitted changes' if about['changed'] else ''
  return (
    f'{about["cores"]} cores of {cpu} ({", ".join(has) or "-"}), '
    f'{about["memory_bytes"] / _GIB:.0f} GiB; {versions}; '
    f'{about["date"][:10]}, commit {commit}{changed}; load before the first '
    f'part {about["load"]:.1f}.'
  )


def paragraphs(*parts: str) -> str:
  """Text and tables, an empty line between any two."""
  return '\n\n'.join(parts)


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """A Markdown table that reads as text too."""
  return report.markdown([header, *rows])


def size(name: str, fields: Mapping[str, int]) -> str:
  """A size by name, B, M, L and K."""
  return (
    f'{name}, {fields["batch"]} x {fields["num_frames"]} x '
    f'{fields["frame_dim"]}, {fields["num_bits"]} bits'
  )


def gib(count: float) -> str:
  """Bytes in GiB."""
  return f'{count / _GIB:.2f}'
