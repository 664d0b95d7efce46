"""What the flags of `python -m nph_jax.index` name: bundle, videos, filter."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from nph_jax import errors
from nph_jax.index import metadata, sources


def where(pairs: Sequence[str]) -> dict[str, str] | None:
  """The filter of `--where NAME=VALUE`s, None without any."""
  chosen = {}
  for pair in pairs:
    name, equals, value = pair.partition('=')
    if not (name and equals) or name in chosen:
      raise errors.UserError(
        f'--where {pair}: expected NAME=VALUE, each name once.'
      )
    chosen[name] = value
  return chosen or None


def bundle(flags: argparse.Namespace) -> Any:
  """The bundle of `--bundle`; None with an id, or for codes that name none."""
  if flags.features is None and flags.codes is None:
    if flags.bundle is not None:
      raise errors.UserError(
        '--bundle: makes the codes of --features, or made --codes; without '
        'either, leave it out.'
      )
    return None
  if flags.bundle is None and flags.codes is not None:
    return None
  if flags.bundle is None:
    raise errors.UserError(
      '--features: need the --bundle that makes their codes, the folder '
      'export/ of a trained workdir.'
    )
  from nph_jax import allocator, compilation
  from nph_jax.export import load_hasher

  allocator.keep_freed_memory()
  compilation.use_persistent_cache()
  return load_hasher(flags.bundle)


def source(flags: argparse.Namespace, hasher: Any) -> Any:
  """The videos to be added, with their metadata."""
  manifests = paths(flags.manifest)
  if not manifests and flags.features:
    manifests = metadata.manifests_beside(paths(flags.features))
  about = metadata.Metadata(manifests, paths(flags.labels), flags.label_names)
  return source_of(flags, hasher, about)


def source_of(
  flags: argparse.Namespace, hasher: Any, about: metadata.Metadata
) -> Any:
  """The videos of `--codes` or `--features`, with this metadata."""
  if flags.codes is not None:
    source = sources.CodeSource(flags.codes, about)
    if hasher is not None and source.num_bits != hasher.num_bits:
      raise errors.UserError(
        f'{flags.codes}: codes of {source.num_bits} bits, but the bundle makes '
        f'codes of {hasher.num_bits}; give the bundle that made them.'
      )
    return source
  files = paths(flags.features)
  if not files:
    raise errors.UserError('--features= names no file.')
  return sources.FeatureSource(hasher, files, about)


def check_bundle(index: Any, hasher: Any) -> None:
  """Raises a UserError where the codes of `index` are not of `hasher`."""
  if hasher is not None:
    index.check_bundle(hasher.digest, hasher.num_bits)


def paths(text: str | None) -> list[str]:
  """The files named in `text`, by commas."""
  return [path for path in (text or '').split(',') if path]
