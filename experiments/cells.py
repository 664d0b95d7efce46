"""One cell: its configuration, what identifies it, and its file of results."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from experiments import settings
from nph_jax import atomic, config_files, configuration, errors, trees

ROOT = pathlib.Path(__file__).parent.parent
# Where things lie and how often is written changes no result.
_NO_MATTER = (
  'data.dir', 'data.source_dir', 'data.residency', 'neighborhood.dir',
  'neighborhood.run', 'checkpoint.', 'logging.', 'export.',
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Folders:
  """Where results are kept, and where the work for them is done."""

  results: pathlib.Path = ROOT / 'experiments' / 'results'
  scratch: pathlib.Path = ROOT / 'runs' / 'experiments'


@dataclasses.dataclass(frozen=True)
class Cell:
  """One training.

  Attributes:
    dataset: folder of its results: a data set, or EXPERIMENT/DATASET.
    config_file: a file of configs/, or like one.
    method: of registry.METHODS, settings.VARIANTS or settings.REFERENCES.
    bits: K; 0 for the real-valued reference.
    seed: of everything.
    values: configuration values by dotted name, over the file's.
  """

  dataset: str
  config_file: str
  method: str
  bits: int
  seed: int
  values: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  @property
  def name(self) -> str:
    """METHOD-BITS-SEED."""
    return f'{self.method}-{self.bits}-{self.seed}'

  def path(self, folders: Folders) -> pathlib.Path:
    """Its file of results."""
    return folders.results / self.dataset / f'{self.name}.json'

  def workdir(self, folders: Folders) -> pathlib.Path:
    """Its scratch folder, another one for another configuration."""
    folder = folders.scratch / self.dataset
    return folder / f'{self.name}-{self.digest(folders)}'

  def lock(self, folders: Folders) -> pathlib.Path:
    """What the process holds that runs it."""
    folder = self.workdir(folders)
    return folder.with_name(f'{folder.name}.lock')

  def config(self, folders: Folders) -> configuration.ConfigDict:
    """Its configuration; data and neighbourhood are shared among cells."""
    # A reference needs the data only, which every method reads alike.
    method = 'nph' if self.method in settings.REFERENCES else self.method
    method, _, values = settings.VARIANTS.get(method, (method, '', {}))
    arg = f'{method},bits={self.bits or settings.FIRST_BITS}'
    config = load_config(self.config_file, arg)
    values = {**self.values, **values}
    configuration.set_values(
      config, {**_of_method(method, values), 'seed': self.seed}
    )
    config.data.dir = str(folders.scratch / 'data')
    config.neighborhood.dir = str(folders.scratch / 'neighborhood')
    return config

  def digest(self, folders: Folders) -> str:
    """A hash of all of its configuration that decides its results."""
    flat = flat_values(self.config(folders))
    text = json.dumps([self.method, flat], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

  def is_done(self, folders: Folders) -> bool:
    """Whether its file is there and of this configuration.

    Not if it is from before the asymmetric ranking was measured.
    """
    record = read(self.path(folders))
    if record is None or record['digest'] != self.digest(folders):
      return False
    return self.method in settings.REFERENCES or 'map_asymmetric' in record


def load_config(file: str, arg: str) -> configuration.ConfigDict:
  """What `get_config(arg)` of a config file returns.

  Args:
    file: absolute, or from the checkout's root or the current folder.
    arg: METHOD,bits=NUMBER.

  Raises:
    UserError: there is no such file.
  """
  path = next(
    (p for p in (pathlib.Path(file), ROOT / file) if p.is_file()), None
  )
  if path is None:
    raise errors.UserError(
      f'--config={file}: no such file; name one of configs/, without a '
      'colon: --methods and --bits choose methods and lengths here.'
    )
  return config_files.load(path, arg)


def _of_method(method: str, values: Mapping[str, Any]) -> dict[str, Any]:
  """`values` but for the options of other methods.

  What is an option of none stays, to be told as unknown.
  """
  from nph_jax.models import registry  # slow; wrong flags fail before

  own = registry.default_options(method)
  others = {o for m in registry.METHODS for o in registry.default_options(m)}
  foreign = tuple(f'method_options.{option}' for option in others - set(own))
  return {k: v for k, v in values.items() if not k.startswith(foreign)}


def flat_values(
  config: configuration.ConfigDict, everything: bool = False
) -> dict[str, Any]:
  """The values by dotted name, as JSON holds them.

  Args:
    config: a configuration.
    everything: and not only what decides results.
  """
  flat = {
    name: list(value) if isinstance(value, tuple) else value
    for name, value in trees.flatten(config.to_dict(), '.').items()
  }
  if everything:
    return flat
  later = configuration.LATER
  return {
    k: v
    for k, v in flat.items()
    if matters(k) and not (k in later and v == later[k])
  }


def matters(name: str) -> bool:
  """Whether the configuration value of that dotted name decides results."""
  return not name.startswith(_NO_MATTER)


def read(path: pathlib.Path) -> dict[str, Any] | None:
  """A file of results, None if there is none.

  Raises:
    UserError: it is not one.
  """
  try:
    record = json.loads(path.read_text())
    record['digest'], record['map']
  except FileNotFoundError:
    return None
  except (ValueError, KeyError, TypeError) as error:
    raise errors.UserError(
      f'{path}: is damaged; remove it and run the same command again.'
    ) from error
  return record


def write(path: pathlib.Path, record: Mapping[str, Any]) -> None:
  """Writes a file of results atomically, a line for each entry."""
  lines = (f'  {json.dumps(k)}: {json.dumps(v)}' for k, v in record.items())
  atomic.write_text(path, '{\n' + ',\n'.join(lines) + '\n}\n')


@contextlib.contextmanager
def locked(path: pathlib.Path, wait: bool = True) -> Iterator[bool]:
  """Holds the lock file `path`; yields False if another process does.

  Args:
    path: made if missing.
    wait: until it is free.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  lock = atomic.lock(path, wait)
  try:
    yield lock is not None
  finally:
    if lock is not None:
      lock.release()
