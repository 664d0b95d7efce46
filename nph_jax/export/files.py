"""A bundle in memory and on the disk; neither flax nor tensorflow is here."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np

from nph_jax import atomic, errors

FORMAT = 2
PLATFORMS = ('cpu', 'cuda')
PROGRAM, PARAMETERS, MANIFEST = (
  'hasher.stablehlo',
  'parameters.npz',
  'manifest.json',
)


@dataclasses.dataclass(frozen=True)
class Bundle:
  """A hasher as data: StableHLO, parameters by path, and what it is."""

  program: bytes
  parameters: dict[str, np.ndarray]
  manifest: dict[str, Any]

  @property
  def digest(self) -> str:
    """Of a bundle that was written: what tells its codes from another's."""
    return bundle_digest(self.manifest)

  def load(self) -> Any:
    """The hasher that a reader of the written bundle gets."""
    from nph_jax.export.hasher import Hasher  # which reads this file

    return Hasher(self.program, self.parameters, self.manifest)


def write(bundle: Bundle, folder: pathlib.Path) -> None:
  """Writes `bundle` to `folder`, replacing what was there, whole or not at all.

  A folder cannot be renamed onto another: for an instant, between the two
  renames, there is none. A process killed right there leaves the old bundle
  beside its place, as `.NAME.old`, from where the next call takes it back.

  Raises:
    UserError: the disk is full; the old bundle stays.
  """
  new = folder.with_name(f'.{folder.name}.new')
  old = folder.with_name(f'.{folder.name}.old')
  if old.exists() and not folder.exists():
    old.rename(folder)
  for leftover in (new, old):
    shutil.rmtree(leftover, ignore_errors=True)
  try:
    with errors.writing(folder):
      new.mkdir(parents=True)
      for name, content in _files(bundle).items():
        _write_through(new / name, content)
    if folder.exists():
      folder.rename(old)
    new.rename(folder)
    atomic.sync_folder(folder.parent)
  finally:
    shutil.rmtree(new, ignore_errors=True)
  shutil.rmtree(old, ignore_errors=True)


def _files(bundle: Bundle) -> dict[str, bytes]:
  parameters = io.BytesIO()
  np.savez(parameters, **dict(sorted(bundle.parameters.items())))
  files = {
    PROGRAM: bundle.program,
    PARAMETERS: parameters.getvalue(),
  }
  digests = {name: digest(content) for name, content in files.items()}
  manifest = json.dumps({**bundle.manifest, 'digests': digests}, indent=2)
  files[MANIFEST] = f'{manifest}\n'.encode()
  files['README.md'] = _readme(bundle).encode()
  return files


def _write_through(path: pathlib.Path, content: bytes) -> None:
  """Writes a file down to the disk, before a rename makes it the bundle's."""
  with open(path, 'wb') as file:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _readme(bundle: Bundle) -> str:
  m, platforms = bundle.manifest, ' and '.join(PLATFORMS)
  parts = sorted({name.partition('/')[0] for name in bundle.parameters})
  return f"""# Video hasher: {m['method']}, {m['num_bits']} bits, {m['dataset']}

Maps the features of a video's {m['num_frames']} frames, {m['feature_dim']}
values each, to {m['num_bits']} bits. Similar videos get codes that differ in
few of them.

    from nph_jax.export import load_hasher
    codes = load_hasher('this folder').encode(frames)

`frames` is float, (videos, {m['num_frames']}, {m['feature_dim']}); `codes` is
uint8, (videos, {m['num_bits'] // 8}), in numpy.packbits order: the first bit is
the most significant, 1 stands for +1. From the shell:

    python -m nph_jax.encode --bundle=DIR --features=FILE --out=codes.npy

| file | content |
|---|---|
| hasher.stablehlo | program for {platforms}, batch size symbolic |
| parameters.npz | its parameters: {', '.join(parts)} |
| manifest.json | sizes, configuration, training step, digests of these files |

Seed {m['config']['seed']}, {m['step']} training steps.
"""


def read(folder: pathlib.Path) -> Bundle:
  """The bundle in `folder`, whole and of this format.

  Raises:
    UserError: a file is missing or damaged, or of another format.
  """
  for name in (MANIFEST, PROGRAM, PARAMETERS):
    if not (folder / name).is_file():
      raise errors.UserError(
        f'{folder / name}: is missing; a bundle is the folder export/ of a '
        'trained workdir, which --stages=export writes.'
      )
  manifest = _read_manifest(folder / MANIFEST)
  contents = {n: (folder / n).read_bytes() for n in (PROGRAM, PARAMETERS)}
  for name, content in contents.items():
    if manifest.get('digests', {}).get(name) != digest(content):
      raise _damaged(folder / name)
  with np.load(io.BytesIO(contents[PARAMETERS]), allow_pickle=False) as archive:
    return Bundle(contents[PROGRAM], dict(archive), manifest)


def _read_manifest(path: pathlib.Path) -> dict[str, Any]:
  try:
    manifest = json.loads(path.read_text())
  except ValueError as error:
    raise _damaged(path) from error
  if not isinstance(manifest, dict) or 'format' not in manifest:
    raise _damaged(path)
  if manifest['format'] != FORMAT:
    older = manifest['format'] in range(FORMAT)
    remedy = (
      'export it again with --stages=export' if older else 'update nph_jax'
    )
    raise errors.UserError(
      f'{path}: has format {manifest["format"]}, but this version of nph_jax '
      f'reads format {FORMAT}; {remedy}.'
    )
  return manifest


def _damaged(path: pathlib.Path) -> errors.UserError:
  return errors.UserError(
    f'{path}: is damaged or not of this bundle; copy the bundle again, or '
    'remove it and export it again with --stages=export.'
  )


def bundle_digest(manifest: dict[str, Any]) -> str:
  """What tells the codes of one bundle from those of another."""
  return digest(json.dumps(manifest['digests'], sort_keys=True).encode())


def digest(content: bytes) -> str:
  """What the manifest says of a file's content."""
  return hashlib.blake2b(content, digest_size=16).hexdigest()
