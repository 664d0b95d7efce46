"""One run's folder: what lies where, and what may be continued there."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from nph_jax import atomic, configuration, distributed, errors


class Workdir:
  """The folder of a run.

  Attributes:
    root: the folder; the other paths are in it.
  """

  def __init__(self, root: str):
    self.root = pathlib.Path(root)
    self.config = self.root / 'config.json'
    self.data = self.root / 'data'
    self.neighborhood = self.root / 'neighborhood'
    self.checkpoints = self.root / 'checkpoints'
    self.logs = self.root / 'logs'
    self.codes = self.root / 'codes'
    self.metrics = self.root / 'metrics.json'
    self.report = self.root / 'report.md'
    self.export = self.root / 'export'
    self._stamps = self.root / 'stages.json'

  def check_config(self, config: configuration.ConfigDict) -> None:
    """Raises a UserError when the folder belongs to another configuration."""
    for folder in (self.root, *self.root.parents):
      if folder.exists() and not folder.is_dir():
        raise errors.UserError(
          f'--workdir={self.root}: {folder} is a file, not a folder.'
        )
    if not self.config.exists():
      return
    old = self._read(self.config)
    changed = configuration.differences(old, json.loads(config.to_json()))
    if changed:
      name = changed[0]
      raise errors.UserError(
        f'--workdir={self.root}: was made with another configuration: '
        f'config.{name} was {_value(old, name)!r} and is '
        f'{_value(config.to_dict(), name)!r} now; use another --workdir, or '
        'the old value.'
      )

  def write_config(self, config: configuration.ConfigDict) -> None:
    """Writes config.json."""
    if not distributed.is_primary():
      return
    advice = 'give a folder that you may write to'
    with errors.writing(f'--workdir={self.root}', advice):
      atomic.write_json(self.config, json.loads(config.to_json()))

  def stamp(self, name: str) -> Any:
    """What `set_stamp` last recorded under `name`, None if nothing."""
    if not self._stamps.exists():
      return None
    return self._read(self._stamps).get(name)

  def set_stamp(self, name: str, value: Any) -> None:
    """Records, once a stage's files are all there, what they were made from."""
    if distributed.is_primary():
      stamps = self._read(self._stamps) if self._stamps.exists() else {}
      atomic.write_json(self._stamps, {**stamps, name: value})

  def check_data_key(self, key: str, refined: str = '') -> None:
    """Raises a UserError when what the folder was made from has changed.

    Args:
      key: of the data.
      refined: digest of the hasher in config.neighborhood.run, if any.
    """
    old = self.stamp('data_key')
    if old is None:
      self.set_stamp('refined', refined)
      self.set_stamp('data_key', key)
      return
    if old != key:
      raise errors.UserError(
        f'--workdir={self.root}: its results come from other feature or label '
        'files than the ones there now; use another --workdir, or put the old '
        'files back.'
      )
    if (self.stamp('refined') or '') != refined:
      raise errors.UserError(
        f'--workdir={self.root}: its results come from another hasher than the '
        'one that config.neighborhood.run holds now; use another --workdir, or '
        'that run as it was.'
      )

  def _read(self, path: pathlib.Path) -> dict[str, Any]:
    try:
      return json.loads(path.read_text())
    except ValueError as error:
      raise errors.UserError(
        f'{path}: is not JSON; use another --workdir.'
      ) from error


def _value(tree: Any, name: str) -> Any:
  for part in name.split('.'):
    tree = tree.get(part) if isinstance(tree, dict) else None
  return tree
