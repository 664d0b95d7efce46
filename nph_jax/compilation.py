"""A second run of the same shapes starts without compiling again.

And on a GPU the first one compiles in a third of the time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import pathlib
import platform

# Without these XLA compiles and times many forms of each product and fusion:
# a step of NPH took over 55 s to compile on an H100, and ran no faster. XLA
# ends the process at a flag that it does not know, so only of these versions.
_GPU_FLAGS = (
  '--xla_gpu_enable_triton_gemm',
  '--xla_gpu_experimental_enable_fusion_autotuner',
)
_KNOWN_VERSIONS = ('0.10.', '0.11.', '0.12.')
# By default jax keeps only what took it a second to compile: no hasher, and few
# of a training's programs.
_SHORTEST = 'jax_persistent_cache_min_compile_time_secs'
_GPU_PLUGINS = ('jax_cuda12_plugin', 'jax_cuda13_plugin')


def set_up() -> None:
  """Spares tuning on GPUs and keeps compiled programs, from here on.

  To be called before jax first looks for devices, when XLA reads its flags.
  """
  _spare_gpu_tuning()
  _use_persistent_cache()


def _spare_gpu_tuning() -> None:
  """Sets flags of XLA, but those which XLA_FLAGS has already."""
  if not any(map(importlib.util.find_spec, _GPU_PLUGINS)):
    return
  if not importlib.metadata.version('jax').startswith(_KNOWN_VERSIONS):
    return
  given = os.environ.get('XLA_FLAGS', '')
  ours = [f'{flag}=false' for flag in _GPU_FLAGS if flag not in given]
  os.environ['XLA_FLAGS'] = ' '.join([given, *ours]).strip()


def _use_persistent_cache() -> None:
  """Keeps compiled programs in the user's cache folder, by kind of processor.

  What is compiled for one processor may not run on another that shares the
  home folder. JAX_COMPILATION_CACHE_DIR, where set, names the folder instead.
  """
  import jax  # takes a second; whoever calls this may not have needed it yet

  if _SHORTEST.upper() not in os.environ:
    jax.config.update(_SHORTEST, 0)
  if 'JAX_COMPILATION_CACHE_DIR' in os.environ:
    return
  folder = cache_folder() / f'compiled-{_processor()}'
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError:
    return  # nowhere to write: compile every time
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
