"""The configuration every file in `configs/` starts from, and its rules.

Zero in a length or a size means "unset": the other length holds, or the value
follows from the data. What does not apply to a method is ignored by it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import ml_collections

from nph_jax import errors, trees
from nph_jax.models.config import RecurrentConfig

ConfigDict = ml_collections.ConfigDict


def base(
  arg: str = '',
  method: str = 'nph',
  num_bits: int = 32,
  published: Mapping[str, Mapping[str, Any]] | None = None,
) -> ConfigDict:
  """The paper's setting, without a data set; the method's where it has one.

  Args:
    arg: what follows the colon of `--config=FILE:METHOD,bits=64`.
    method: when `arg` names none.
    num_bits: when `arg` gives none.
    published: what methods set otherwise on this data set, by their names and
      then by dotted name.

  Raises:
    UserError: `arg` cannot be read, or there is no such method.
  """
  from nph_jax.models import registry  # jax, which --help does without

  chosen = {'method': method, 'num_bits': num_bits, **parse_arg(arg)}
  entry = registry.entry(chosen['method'])
  config = ConfigDict(
    {
      **chosen,
      'seed': 0,
      'data': _data(),
      'neighborhood': _neighborhood(),
      'model': dataclasses.asdict(RecurrentConfig()),
      # the method's own: registry.default_options
      'method_options': registry.default_options(chosen['method']),
      'train': _train(),
      'eval': {
        'ks': (5, 10, 20, 40, 60, 80, 100),
        'exclude_self': False,  # in the printed table; report.md has both
      },
      'export': {'block_size': 64},  # videos encoded at a time, padded
      'checkpoint': {'every_steps': 500, 'keep': 3},
      'logging': {'every_steps': 50},
    }
  )
  own = (published or {}).get(chosen['method'], {})
  config.lock()  # a misspelt value, here or in a file of configs/, is an error
  config.update_from_flattened_dict({**entry.settings, **own})
  return config


def set_files(
  config: ConfigDict,
  name: str,
  repository: str,
  sizes: tuple[int, int, int],
  **splits: tuple[str, str, int],
) -> None:
  """Says what a published data set holds, and where its files are; in place.

  Args:
    config: of `base`.
    name: of the data set; its files are looked for in data/NAME.
    repository: at GitHub, its README links to them.
    sizes: frames, their width, and labels; 0 for as in the files.
    **splits: of train, query and database the features' file, that of the
      labels, and the number of videos.
  """
  data = config.data
  data.name, data.source_dir = name, f'data/{name}'
  data.published = f'linked from the README of github.com/{repository}'
  data.num_frames, data.feature_dim, data.num_labels = sizes
  for split, values in splits.items():
    part = data[split]
    part.features, part.labels, part.num_videos = values


def parse_arg(
  arg: str, choices: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
  """Reads `METHOD,bits=64`, either left out, into arguments of `base`.

  Args:
    arg: what follows the colon of `--config=FILE:METHOD,bits=64`.
    choices: further keys that may be given, with their allowed values.

  Raises:
    UserError: something else is in it.
  """
  choices = choices or {}
  options: dict[str, Any] = {}
  for part in filter(None, (p.strip() for p in arg.split(','))):
    key, equals, value = part.partition('=')
    if not equals:
      options['method'] = key
    elif key == 'bits' and value.isdecimal():
      options['num_bits'] = int(value)
    elif value in choices.get(key, ()):
      options[key] = value
    else:
      more = ''.join(f',{k}={"|".join(v)}' for k, v in choices.items())
      raise errors.UserError(
        f'--config=...:{arg}: cannot read {part!r}; write METHOD,bits=NUMBER'
        f'{more}, any of which may be left out.'
      )
  return options


def _data() -> dict[str, Any]:
  files = {'features': '', 'labels': '', 'num_videos': 0}
  return {
    'name': 'custom',
    'dir': '',  # where built data lie; WORKDIR/data if empty
    'source_dir': '',  # relative file names below start here
    'published': '',  # where the source publishes its files
    'num_frames': 0,  # M; as in the files if 0
    'feature_dim': 0,  # L; likewise
    'num_labels': 0,  # likewise
    'residency': 'auto',  # of training frames: device, host or stream
    'canvas': 0,  # side of moving_digits' frames
    'train': dict(files),
    'query': dict(files),
    'database': dict(files),
  }


def _neighborhood() -> dict[str, Any]:
  return {
    'dir': '',  # where runs share it; WORKDIR/neighborhood if empty
    # or untrained: mean_frame, second_moments or neighbors
    'features': 'autoencoder',
    # in place of them: y is t of the hasher in this finished run's workdir
    # (alternating refinement: the same command again, with this value more)
    'run': '',
    'width': 256,  # d, section 4.1
    'num_epochs': 100,
    'num_steps': 0,
    'batch_size': 0,  # that of training if 0
    'learning_rate': 1e-3,
    'reverse': True,  # [34] writes the last frame first
    'copy_cell': False,  # y alone starts the decoder
    'num_anchors': 0,  # n; 2000 from paper_setting_from videos on
    'num_nearest': 0,  # a; 3 likewise
    'paper_setting_from': 10_000,
    'target_density': 0.01,  # of S, for smaller sets
    'kmeans_iterations': 10,
  }


def _train() -> dict[str, Any]:
  return {
    'num_epochs': 100,
    'num_steps': 0,
    'batch_size': 0,  # global; 128 from 512 videos on, fewer below
    'learning_rate': 1e-3,
    'beta1': 0.9,  # the paper's "momentum"
    'decay_rate': 1.0,
    'decay_steps': 0,  # between two falls of the learning rate
    'decay_floor': 0.0,
    **_LATER_TRAIN,
  }


_LATER_TRAIN = {
  'decay_epochs': 0,  # decay_steps in epochs
  # instead: down to decay_floor over half a cosine, whose end is the training's
  'cosine': False,
  'weight_decay': 0.0,  # of AdamW
}
# Values that came later, as they leave everything as it was before them.
LATER = {f'train.{name}': value for name, value in _LATER_TRAIN.items()}


LENGTHS = (('train.num_epochs', 'train.num_steps'),
           ('neighborhood.num_epochs', 'neighborhood.num_steps'))  # fmt: skip


def settle_lengths(config: ConfigDict, overridden: set[str]) -> None:
  """Lets a length given on the command line unset the other one.

  Args:
    config: changed in place.
    overridden: dotted names given on the command line.

  Raises:
    UserError: both of a pair were given.
  """
  for pair in LENGTHS:
    given = [name for name in pair if name in overridden and get(config, name)]
    if len(given) == 2:
      raise errors.UserError(
        f'both --config.{pair[0]} and --config.{pair[1]} are given; give one.'
      )
    for name in given:
      other = pair[1 - pair.index(name)]
      section, _, field = other.partition('.')
      config[section][field] = 0


def set_values(config: ConfigDict, values: Mapping[str, Any]) -> None:
  """Sets values by dotted name, in place; a length unsets its other unit.

  Raises:
    UserError: an unknown name, or a value of another type.
  """
  for name, value in values.items():
    section, _, field = name.rpartition('.')
    try:
      part = get(config, section) if section else config
      part[field] = value
    except (AttributeError, KeyError, TypeError) as error:
      raise errors.UserError(
        f'config.{name}={value!r}: is not a value of the configuration, or of '
        'another type; nph_jax/configuration.py lists them all.'
      ) from error
  settle_lengths(config, set(values))


def default_workdir(config: ConfigDict) -> str:
  """Where results go when nothing else is said."""
  return (
    f'runs/{config.data.name}-{config.method}-{config.num_bits}bits-'
    f'seed{config.seed}'
  )


def get(config: ConfigDict, name: str) -> Any:
  """The value at a dotted name."""
  for part in name.split('.'):
    config = config[part]
  return config


def check(config: ConfigDict) -> None:
  """Raises a UserError for a value that no data set could make valid.

  The method's own options are checked when it is built.
  """
  from nph_jax.models import registry  # see base

  known = set(registry.default_options(config.method))
  if set(config.method_options) != known:
    raise errors.UserError(
      f'config.method is {config.method!r}, but config.method_options are '
      'those of another method; name the method after the colon of '
      f'--config=FILE:{config.method}, not by --config.method.'
    )
  if config.num_bits < 8 or config.num_bits % 8:
    raise errors.UserError(
      f'config.num_bits is {config.num_bits}; it has to be a positive multiple '
      'of 8.'
    )
  for name in _NOT_NEGATIVE:
    _require(config, name, lambda v: v >= 0, 'zero or more')
  for name in _POSITIVE:
    _require(config, name, lambda v: v > 0, 'more than zero')
  for name, choices in _CHOICES.items():
    _require(config, name, lambda v, c=choices: v in c, f'one of {choices}')
  _require(config, 'eval.ks', _are_ranks, 'whole numbers above zero')
  for pair in LENGTHS:
    if not any(get(config, name) for name in pair):
      raise errors.UserError(
        f'config.{pair[0]} and config.{pair[1]} are both zero; set one.'
      )


_NOT_NEGATIVE = (
  'seed', 'train.num_epochs', 'train.num_steps', 'train.batch_size',
  'neighborhood.num_epochs', 'neighborhood.num_steps',
  'neighborhood.batch_size', 'neighborhood.num_anchors',
  'neighborhood.num_nearest', 'data.num_frames', 'data.feature_dim',
)  # fmt: skip
_POSITIVE = (
  'train.learning_rate', 'neighborhood.learning_rate', 'neighborhood.width',
  'neighborhood.kmeans_iterations', 'neighborhood.target_density',
  'model.hidden_width', 'export.block_size',
  'checkpoint.every_steps', 'checkpoint.keep', 'logging.every_steps',
)  # fmt: skip
_CHOICES = {
  'data.residency': ('auto', 'device', 'host', 'stream'),
  'neighborhood.features': (
    'autoencoder',
    'mean_frame',
    'second_moments',
    'neighbors',
  ),
  'model.recurrent_init': ('xavier', 'orthogonal'),
  'model.precision': ('float32', 'bfloat16'),
}


def _are_ranks(ks: Any) -> bool:
  return bool(ks) and all(isinstance(k, int) and k > 0 for k in ks)


def _require(config: ConfigDict, name: str, good, expected: str) -> None:
  value = get(config, name)
  if not good(value):
    raise errors.UserError(
      f'config.{name} is {value!r}; it has to be {expected}.'
    )


# A workdir may go on with other values of these; train's lengths may grow.
# Where frames are kept changes no number, and where another run lies neither;
# Workdir.check_data_key knows its content.
MAY_DIFFER = (
  'train.num_epochs', 'train.num_steps', 'checkpoint.', 'logging.',
  'data.residency', 'neighborhood.run',
)  # fmt: skip


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
  """Dotted names, sorted, whose values forbid continuing `old` with `new`."""
  # JSON knows no tuples.
  old, new = (
    {
      name: list(value) if isinstance(value, tuple) else value
      for name, value in trees.flatten(tree, '.').items()
    }
    for tree in (old, new)
  )
  names = sorted(set(old) | set(new))
  missing = object()
  return [
    name
    for name in names
    if not name.startswith(MAY_DIFFER)
    and old.get(name, LATER.get(name, missing)) != new.get(name, missing)
  ]


def num_steps(section: Any, steps_per_epoch: int) -> int:
  """Updates in all that a section asks for; of both lengths the larger."""
  return max(section.num_steps, section.num_epochs * steps_per_epoch)


def automatic_batch_size(num_videos: int) -> int:
  """The largest power of two in [8, 128] with four batches to an epoch."""
  size = 128
  while size > 8 and size * 4 > num_videos:
    size //= 2
  return size
