"""The flags that all experiments share, and the data sets they name."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments import cells, settings
from nph_jax import configuration, errors
from nph_jax.data import sources


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A data set's name here, its config file and values over the file's.

  Attributes:
    methods: values of single methods over those.
  """

  name: str
  config_file: str
  values: Mapping[str, Any]
  methods: Mapping[str, Mapping[str, Any]] = dataclasses.field(
    default_factory=dict
  )

  def cells(
    self,
    pairs: Iterable[tuple[str, int]],
    seed: int,
  ) -> list[cells.Cell]:
    """A cell for each pair of method and bits, with one seed."""
    return [
      cells.Cell(
        self.name,
        self.config_file,
        method,
        bits,
        seed,
        {**self.values, **self.methods.get(method, {})},
      )
      for method, bits in pairs
    ]

  def check(self) -> None:
    """Raises a UserError if a file of the data set is missing or damaged."""
    config = cells.load_config(self.config_file, '')
    configuration.set_values(config, self.values)
    sources.check(sources.DataSpec.from_config(config.data.to_dict(), 0))


@dataclasses.dataclass(frozen=True)
class Options:
  """What the command line says; empty tuples where it says nothing."""

  datasets: tuple[Dataset, ...]
  methods: tuple[str, ...]
  bits: tuple[int, ...]
  seeds: tuple[int, ...]
  folders: cells.Folders
  flags: argparse.Namespace


def parser(description: str) -> argparse.ArgumentParser:
  """The flags that every experiment has."""
  flags = errors.Parser(
    description=description,
    epilog='Any value of the configuration: --config.NAME=VALUE.',
  )
  flags.add_argument(
    '--config',
    help='file of configs/; by default every data set here that is there',
  )
  flags.add_argument('--name', help="of the data set; the config file's")
  flags.add_argument('--data_dir', help='folder of the feature files')
  flags.add_argument('--methods', type=_names, default=(), help='A,B,...')
  flags.add_argument('--bits', type=numbers, default=(), help='8,16,...')
  flags.add_argument(
    '--seeds', type=numbers, default=settings.SEEDS, help='0,1,...'
  )
  default = cells.Folders()
  for name in ('results', 'scratch'):
    flags.add_argument(
      f'--{name}', type=pathlib.Path, default=getattr(default, name)
    )
  return flags


def options(
  flags: argparse.ArgumentParser,
  argv: Sequence[str] | None = None,
  names: Sequence[str] = tuple(settings.DATASETS),
) -> Options:
  """Reads the command line; checks that the data sets' files are there.

  Args:
    flags: of `parser`.
    argv: the arguments.
    names: of settings.DATASETS, those without --config, if they are there.

  Raises:
    UserError: a bad flag, or a missing file.
  """
  known, rest = flags.parse_known_args(argv)
  odd = [b for b in known.bits if b < 8 or b % 8]
  if odd:
    raise errors.UserError(
      f'--bits={odd[0]}: codes are whole bytes; give multiples of 8.'
    )
  found = Options(
    datasets=tuple(_datasets(known, _overrides(rest), names)),
    methods=known.methods,
    bits=known.bits,
    seeds=known.seeds,
    folders=cells.Folders(known.results.absolute(), known.scratch.absolute()),
    flags=known,
  )
  for dataset in found.datasets:
    dataset.check()
  return found


def _names(text: str) -> tuple[str, ...]:
  return tuple(part for part in text.split(',') if part)


def numbers(text: str) -> tuple[int, ...]:
  """The whole numbers in 'A,B,...'; ValueError if one is none, or there is no
  number.
  """
  found = tuple(int(part) for part in _names(text))
  if not found:
    raise ValueError(text)
  return found


def _overrides(rest: Sequence[str]) -> dict[str, Any]:
  """--config.NAME=VALUE as {NAME: VALUE}, VALUE a number where it reads so."""
  values = {}
  for argument in rest:
    name, equals, text = argument.partition('=')
    if not equals or not name.startswith('--config.'):
      raise errors.UserError(
        f'{argument!r} is not a flag; --help lists the flags, and values of '
        'the configuration are written --config.NAME=VALUE.'
      )
    try:
      value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
      value = text
    values[name.removeprefix('--config.')] = value
  return values


def _datasets(
  known: argparse.Namespace,
  overrides: Mapping[str, Any],
  names: Sequence[str],
) -> list[Dataset]:
  if known.data_dir:
    overrides = {'data.source_dir': known.data_dir, **overrides}
  if known.config:
    stem = pathlib.Path(known.config).stem
    values = settings.DATASETS.get(stem, {}).get('values', {})
    values = {**values, **overrides}
    methods = _of_methods(stem, overrides)
    return [Dataset(known.name or stem, known.config, values, methods)]
  if known.data_dir or known.name:
    raise errors.UserError(
      '--data_dir and --name say something of one data set; give its --config.'
    )
  found = [
    Dataset(
      name,
      setting['config'],
      {**setting['values'], **overrides},
      _of_methods(name, overrides),
    )
    for name, setting in settings.DATASETS.items()
    if name in names and _is_there(setting['config'])
  ]
  if not found:
    raise errors.UserError(
      f'none of {", ".join(names)} is beside the checkout; give --config=FILE '
      'and, where that is not enough, --data_dir=FOLDER.'
    )
  return found


def _of_methods(
  name: str, overrides: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
  """The settings' values of single methods, but what `overrides` sets."""
  given = set(overrides)
  for pair in configuration.LENGTHS:
    if given & set(pair):
      given.update(pair)
  return {
    method: {k: v for k, v in values.items() if k not in given}
    for method, values in settings.of_methods(name).items()
  }


def _is_there(config_file: str) -> bool:
  """Whether a default data set needs no files, or they are beside us."""
  data = cells.load_config(config_file, '').data
  path = pathlib.Path(data.source_dir) / data.train.features
  return not data.train.features or path.is_file()
