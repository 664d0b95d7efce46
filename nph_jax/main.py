"""The main job: prepare, train, evaluate and export by one configuration.

  python -m nph_jax.main --config=configs/moving_digits.py --workdir=DIR

Only flags are here, and nothing slow is imported before they are known to be
right; the job itself is `nph_jax.job`.
"""

from __future__ import annotations

import sys

from absl import app, flags, logging
from ml_collections import config_flags

from nph_jax import configuration, errors

STAGES = ('prepare', 'train', 'evaluate', 'export')

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'File of configs/, with an optional :METHOD,bits=NUMBER.'
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Folder of all results; made if missing, continued if not.'
)
_STAGES = flags.DEFINE_list(
  'stages', list(STAGES), f'Stages to run, of {", ".join(STAGES)}.'
)
_COORDINATOR = flags.DEFINE_string(
  'coordinator', None, 'HOST:PORT of process 0, when there are several hosts.'
)
_NUM_PROCESSES = flags.DEFINE_integer('num_processes', 1, 'Hosts in all.')
_PROCESS_ID = flags.DEFINE_integer('process_id', 0, "This host's number.")


def _parse(argv: list[str]) -> list[str]:
  """Reads the flags; whatever is wrong with them becomes one sentence."""
  try:
    rest = flags.FLAGS(argv)
  except (flags.Error, errors.UserError) as error:
    _fail(str(error))
  except (AttributeError, KeyError) as error:
    _fail(_unknown_field(argv, str(error)))
  except Exception as error:  # a config file can raise anything
    _fail(f'--config: {type(error).__name__}: {str(error).splitlines()[0]}')
  if rest[1:]:
    _fail(f'{rest[1]!r} is not a flag; flags are written --name=value.')
  return rest


def _unknown_field(argv: list[str], message: str) -> str:
  given = [a.partition('=')[0] for a in argv if a.startswith('--config.')]
  named = [a for a in given if any(p in message for p in a.split('.')[1:])]
  if not named:
    return f'--config: {message}'
  return (
    f'{named[-1]} is not a value of the configuration; '
    'nph_jax/configuration.py lists them all.'
  )


def _fail(sentence: str) -> None:
  print(f'error: {sentence}', file=sys.stderr)
  sys.exit(1)


def _checked_config() -> configuration.ConfigDict:
  if _CONFIG.value is None:
    raise errors.UserError('--config=FILE is missing; see configs/.')
  if _WORKDIR.value is None:
    raise errors.UserError('--workdir=DIR is missing: where results should go.')
  for stage in _STAGES.value:
    if stage not in STAGES:
      raise errors.UserError(
        f'--stages: {stage!r} is none of {", ".join(STAGES)}.'
      )
  try:
    config = _CONFIG.value
    config.to_dict()  # a file that failed to load fails here
  except OSError as error:
    raise errors.UserError(
      f'--config={flags.FLAGS["config"].config_filename}: the file is missing '
      'or cannot be read.'
    ) from error
  overridden = set(config_flags.get_override_values(flags.FLAGS['config']))
  configuration.settle_lengths(config, overridden)
  from nph_jax.models import registry

  configuration.check(config, tuple(registry.METHODS))
  return config


def _main(_: list[str]) -> None:
  def run() -> None:
    config = _checked_config()
    from nph_jax import distributed, job  # slow; wrong flags fail before

    logging.set_verbosity(logging.WARNING)  # orbax reports every step of its
    distributed.start(
      _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
    )
    job.run(config, _WORKDIR.value, tuple(_STAGES.value))

  errors.run_main(run)


if __name__ == '__main__':
  app.run(_main, flags_parser=_parse)
