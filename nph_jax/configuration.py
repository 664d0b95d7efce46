"""The configuration every file in `configs/` starts from, and its rules.

Zero in a length or a size means "unset": the other length holds, or the value
follows from the data. What does not apply to a method is ignored by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ml_collections

from nph_jax import errors

ConfigDict = ml_collections.ConfigDict


def base(arg: str = '', method: str = 'nph', num_bits: int = 32) -> ConfigDict:
  """The paper's setting, without a data set.

  Args:
    arg: what follows the colon of `--config=FILE:METHOD,bits=64`.
    method: when `arg` names none.
    num_bits: when `arg` gives none.

  Raises:
    UserError: `arg` cannot be read.
  """
  config = ConfigDict(
    {
      'method': method,
      'num_bits': num_bits,
      **parse_arg(arg),  # these where given
      'seed': 0,
      'data': _data(),
      'neighborhood': _neighborhood(),
      'model': _model(),
      'loss': _loss(),
      'train': _train(),
      'eval': {
        'ks': (5, 10, 20, 40, 60, 80, 100),
        'exclude_self': False,  # in the report's table; metrics.json has both
      },
      'export': {'block_size': 64},  # videos encoded at a time, padded
      'checkpoint': {'every_steps': 500, 'keep': 3},
      'logging': {'every_steps': 50},
    }
  )
  if config.method == 'nph_tuned':
    config.update_from_flattened_dict(TUNED)
  return config.lock()  # a misspelt value in a file of configs/ is an error


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
    # or untrained: pooled, y of the mean frame, or second_moments
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


def _model() -> dict[str, Any]:
  return {
    'memory_width': 256,  # b, section 4.1
    'hidden_width': 256,
    'attention': {
      'scale': 256.0,  # d^k, section 4.1
      'num_heads': 1,
      'residual': False,
    },
    'mlp_layers': 2,
    'dropout_rate': 0.1,
    'forget_bias': 1.0,
    'recurrent_init': 'xavier',  # or orthogonal, as SSVH
    'norm': {'momentum': 0.99, 'per_step': True, 'epsilon': 1e-5},
    'sign_window': 1.0,
    'ssth_layers': 1,  # or 2, the stacked form of which NPH's text speaks
    'literal': False,  # scan the equations as they stand: slower, the same
    'precision': 'float32',  # or bfloat16 operands with float32 sums
  }


def _loss() -> dict[str, Any]:
  return {
    'weights': {  # alpha 1 to 3, section 4.1
      'similarity': 0.1,
      'visual': 0.8,
      'neighborhood': 0.1,
    },
    'pairs': 'batch',  # or memory_bank, sampled_pairs
    'quantization_stop_gradient': True,
    'neighborhood_stop_gradient': False,
    'start_videos': 0.0,  # nph_tuned: videos that its start is worth
  }


def _train() -> dict[str, Any]:
  return {
    'num_epochs': 100,
    'num_steps': 0,
    'batch_size': 0,  # global; 128 from 512 videos on, fewer below
    'learning_rate': 1e-3,
    'beta1': 0.9,  # the paper's "momentum"
    'decay_rate': 1.0,
    'decay_steps': 0,
    'decay_floor': 0.0,
  }


# What nph_tuned sets otherwise; experiments/README.md says how it was chosen.
TUNED = {
  'neighborhood.features': 'second_moments',
  'loss.weights.similarity': 1.0,
  'loss.start_videos': 4000.0,
  'train.learning_rate': 1e-4,
}

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


def check(config: ConfigDict, methods: tuple[str, ...]) -> None:
  """Raises a UserError for a value that no data set could make valid."""
  if config.method not in methods:
    raise errors.UserError(
      f'config.method is {config.method!r}; choose one of '
      f'{", ".join(sorted(methods))}.'
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
  _require(config, 'model.dropout_rate', lambda v: 0 <= v < 1, 'in [0, 1)')
  for name in config.loss.weights:
    _require(config, f'loss.weights.{name}', lambda v: v >= 0, 'zero or more')
  _require(config, 'eval.ks', _are_ranks, 'whole numbers above zero')
  heads = config.model.attention.num_heads
  _require(
    config,
    'model.memory_width',
    lambda v: v % heads == 0,
    f'a multiple of model.attention.num_heads, {heads}',
  )
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
  'loss.start_videos',
)  # fmt: skip
_POSITIVE = (
  'train.learning_rate', 'neighborhood.learning_rate', 'neighborhood.width',
  'neighborhood.kmeans_iterations', 'neighborhood.target_density',
  'model.memory_width', 'model.hidden_width', 'model.mlp_layers',
  'model.attention.scale', 'model.attention.num_heads', 'export.block_size',
  'checkpoint.every_steps', 'checkpoint.keep', 'logging.every_steps',
)  # fmt: skip
_CHOICES = {
  'data.residency': ('auto', 'device', 'host', 'stream'),
  'neighborhood.features': ('autoencoder', 'pooled', 'second_moments'),
  'loss.pairs': ('batch', 'memory_bank', 'sampled_pairs'),
  'model.recurrent_init': ('xavier', 'orthogonal'),
  'model.precision': ('float32', 'bfloat16'),
  'model.ssth_layers': (1, 2),
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
  old, new = _flat(old), _flat(new)
  names = sorted(set(old) | set(new))
  missing = object()
  return [
    name
    for name in names
    if not name.startswith(MAY_DIFFER)
    and old.get(name, missing) != new.get(name, missing)
  ]


def _flat(tree: dict[str, Any], prefix: str = '') -> dict[str, Any]:
  flat: dict[str, Any] = {}
  for key, value in tree.items():
    if isinstance(value, dict):
      flat.update(_flat(value, f'{prefix}{key}.'))
    else:
      flat[prefix + key] = list(value) if isinstance(value, tuple) else value
  return flat


def num_steps(section: Any, steps_per_epoch: int) -> int:
  """Updates in all that a section's num_epochs or num_steps asks for."""
  return section.num_steps or section.num_epochs * steps_per_epoch


def automatic_batch_size(num_videos: int) -> int:
  """The largest power of two in [8, 128] with four batches to an epoch."""
  size = 128
  while size > 8 and size * 4 > num_videos:
    size //= 2
  return size
