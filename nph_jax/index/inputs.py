"""What the flags of `python -m nph_jax.index` name: bundle and videos."""

from __future__ import annotations

import argparse
from typing import Any

from nph_jax import errors
from nph_jax.index import metadata, sources


def bundle(flags: argparse.Namespace, digest: str | None = None) -> Any:
  """The bundle of `--bundle`; None with an id, or for codes that name none.

  Args:
    flags: whose features have the codes of a library or the starter by default.
    digest: of the bundle whose codes the index holds.
  """
  if flags.features is None and flags.codes is None and flags.bundle:
    raise errors.UserError(
      '--bundle: makes the codes of --features, or made --codes; without '
      'either, leave it out.'
    )
  if flags.bundle is None and flags.features is None:
    return None
  from nph_jax import allocator, compilation
  from nph_jax.export import load_hasher

  allocator.keep_freed_memory()
  compilation.set_up()
  if flags.bundle is not None:
    return load_hasher(flags.bundle)
  from nph_jax.library import codes

  return load_hasher(codes.default(_paths(flags.features), digest))


def source(flags: argparse.Namespace, hasher: Any) -> Any:
  """The videos of `--codes` or `--features`; with metadata, but of queries."""
  about = metadata.Metadata()
  if flags.command != 'search':
    manifests = _paths(flags.manifest)
    if not manifests and flags.features:
      manifests = metadata.manifests_beside(_paths(flags.features))
    about = metadata.Metadata(
      manifests, _paths(flags.labels), flags.label_names
    )
  if flags.codes is None:
    if files := _paths(flags.features):
      return sources.FeatureSource(hasher, files, about)
    raise errors.UserError('--features= names no file.')
  found = sources.CodeSource(flags.codes, about)
  if hasher is not None and found.num_bits != hasher.num_bits:
    raise errors.UserError(
      f'{flags.codes}: codes of {found.num_bits} bits, but the bundle makes '
      f'codes of {hasher.num_bits}; give the bundle that made them.'
    )
  return found


def check_bundle(index: Any, hasher: Any) -> None:
  """Raises a UserError where the codes of `index` are not of `hasher`."""
  if hasher is not None:
    index.check_bundle(hasher.digest, hasher.num_bits)


def _paths(text: str | None) -> list[str]:
  return [path for path in (text or '').split(',') if path]
