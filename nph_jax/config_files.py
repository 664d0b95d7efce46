"""Configuration files: the package's own by name, anyone's by path."""

from __future__ import annotations

import os
import pathlib
import runpy

from nph_jax import configuration, errors


def folder() -> pathlib.Path:
  """The package's own files: inside it where installed, else beside it."""
  package = pathlib.Path(__file__).parent
  installed = package / 'configs'
  return installed if installed.is_dir() else package.parent / 'configs'


def names() -> list[str]:
  """The names of the package's own files."""
  return sorted(path.stem for path in folder().glob('[a-z]*.py'))


def find(name: str | os.PathLike[str]) -> pathlib.Path:
  """The file of a configuration.

  Args:
    name: a path, or one of `names`; a file of that name comes first.

  Raises:
    UserError: there is no such file.
  """
  path = pathlib.Path(name)
  if path.is_file():
    return path
  if str(name) in names():
    return folder() / f'{name}.py'
  raise errors.UserError(
    f'--config={name}: the file is missing; give the path of one, or one of '
    f'these names: {", ".join(names())}.'
  )


def load(
  name: str | os.PathLike[str], arg: str = ''
) -> configuration.ConfigDict:
  """What `get_config(arg)` of a configuration file returns.

  Args:
    name: see `find`.
    arg: METHOD,bits=NUMBER, either left out.

  Raises:
    UserError: there is no such file, or `arg` cannot be read.
  """
  return runpy.run_path(str(find(name)))['get_config'](arg)
