"""A second run of the same shapes starts without compiling again."""

from __future__ import annotations

import hashlib
import os
import pathlib
import platform


def use_persistent_cache() -> None:
  """Keeps compiled programs in the user's cache folder, by kind of processor.

  What is compiled for one processor may not run on another that shares the
  home folder. JAX_COMPILATION_CACHE_DIR, where set, names the folder instead.
  """
  if 'JAX_COMPILATION_CACHE_DIR' in os.environ:
    return
  folder = cache_folder() / f'compiled-{_processor()}'
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError:
    return  # nowhere to write: compile every time
  import jax  # takes a second; whoever calls this may not have needed it yet

  jax.config.update('jax_compilation_cache_dir', str(folder))


def cache_folder() -> pathlib.Path:
  """Where what can be made again is kept (XDG Base Directory Specification)."""
  home = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  return pathlib.Path(home) / 'nph_jax'


def _processor() -> str:
  """A short name for what compiled code may use of this processor."""
  info = pathlib.Path('/proc/cpuinfo')
  try:
    lines = info.read_text().splitlines()
  except OSError:
    lines = []
  features = [x for x in lines if x.startswith(('flags', 'Features', 'model'))]
  text = '\n'.join([platform.machine(), *sorted(set(features))])
  return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
