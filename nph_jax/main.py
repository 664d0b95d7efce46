"""The main job: prepare, train, evaluate and export by one configuration.

  python -m nph_jax.main --config=moving_digits [--workdir=DIR]

Only flags are here, and nothing slow is imported before they are known to be
right; the job itself is `nph_jax.pipeline`.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from absl import app, flags, logging
from ml_collections import config_flags

from nph_jax import config_files, configuration, errors

STAGES = ('prepare', 'train', 'evaluate', 'export')

_CONFIG = config_flags.DEFINE_config_file(
  'config',
  None,
  f'{", ".join(config_files.names())}, or the path of such a file; with an '
  'optional :METHOD,bits=NUMBER.',
)
_WORKDIR = flags.DEFINE_string(
  'workdir',
  None,
  'Folder of all results; made if missing, continued if not. By default '
  'runs/DATA-METHOD-BITSbits-seedSEED.',
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
    rest = flags.FLAGS(_with_paths(argv))
  except SystemExit:
    sys.exit(0)  # absl ends --help with 1
  except Exception as error:  # a config file is a program
    _fail(_unknown_field(argv) or _explained(error))
  if rest[1:]:
    _fail(f'{rest[1]!r} is not a flag; flags are written --name=value.')
  return rest


def _with_paths(argv: list[str]) -> list[str]:
  """The flags, with the path of a configuration in place of its name."""
  found = list(argv)
  for number, flag in enumerate(argv):
    before, equals, value = flag.partition('=')
    if before != '--config':
      continue
    if not equals and number + 1 < len(argv):
      number, before, value = number + 1, '', argv[number + 1]
    name, colon, arg = value.partition(':')
    if name in config_files.names():
      found[number] = f'{before}{equals}{config_files.find(name)}{colon}{arg}'
  return found


def _explained(error: Exception) -> str:
  """One sentence on what became of a flag or of the config file."""
  given = [a for a in sys.argv if a.startswith('--config=')]
  name = given[-1] if given else '--config'
  if isinstance(error, OSError):
    return (
      f'{name}: the file is missing or cannot be read; give the path of one, '
      f'or one of {", ".join(config_files.names())}.'
    )
  # The flags library puts the whole traceback of a config file's own mistake
  # between these two lines.
  lines = [line.strip() for line in str(error).splitlines() if line.strip()]
  text = ' '.join(dict.fromkeys([*lines[:1], *lines[-1:]]))
  if isinstance(error, (flags.Error, errors.UserError)):
    return text
  return (
    f'{name}: {type(error).__name__}: {text}; nph_jax.configuration.base '
    'makes a configuration to start from, as the files of configs/ do.'
  )


def _unknown_field(argv: list[str]) -> str:
  """A sentence on the first --config.x that is no value, '' without one."""
  given = [a for a in argv if a.startswith('--config=')]
  try:
    known = configuration.base(given[-1].partition(':')[2] if given else '')
  except errors.UserError:
    return ''  # the argument is what is wrong
  for name in (a.partition('=')[0] for a in argv if a.startswith('--config.')):
    try:
      configuration.get(known, name.removeprefix('--config.'))
    except (AttributeError, KeyError, TypeError):
      return _no_such_value(name, known)
  return ''


def _no_such_value(name: str, known: configuration.ConfigDict) -> str:
  options = '--config.method_options.'
  if name.startswith((options, '--config.loss.', '--config.model.')):
    return (
      f'{name} is not a value of the configuration; the options of '
      f'{known.method} are {options}{{{",".join(known.method_options)}}}.'
    )
  return (
    f'{name} is not a value of the configuration; '
    'nph_jax/configuration.py lists them all.'
  )


def _fail(sentence: str) -> None:
  print(f'error: {sentence}', file=sys.stderr)
  sys.exit(1)


@contextlib.contextmanager
def _explaining() -> Iterator[None]:
  try:
    yield
  except Exception as error:
    raise errors.UserError(_explained(error)) from error


def _checked_config() -> configuration.ConfigDict:
  _check_flags()
  with _explaining():
    config = _CONFIG.value
    config.to_dict()  # a file that is missing fails here
    overridden = set(config_flags.get_override_values(flags.FLAGS['config']))
    configuration.settle_lengths(config, overridden)
  with _explaining():
    configuration.check(config)
    _check_sources(config)
  return config


def _check_sources(config: configuration.ConfigDict) -> None:
  """As the stages do, before they are imported: an answer within a second."""
  from nph_jax.data import sources

  logging.set_verbosity(logging.ERROR)  # what the stages warn of too
  sources.check(
    sources.DataSpec.from_config(config.data.to_dict(), config.seed)
  )


def _check_flags() -> None:
  if not flags.FLAGS['config'].present:
    raise errors.UserError(
      '--config=FILE is missing; choose one of '
      f'{", ".join(config_files.names())}, or write your own.'
    )
  if _WORKDIR.value == '':
    raise errors.UserError('--workdir= is empty: name the folder of results.')
  if not _STAGES.value:
    raise errors.UserError(
      f'--stages= names none; choose from {", ".join(STAGES)}.'
    )
  for stage in _STAGES.value:
    if stage not in STAGES:
      raise errors.UserError(
        f'--stages: {stage!r} is none of {", ".join(STAGES)}.'
      )


def _main(_: list[str]) -> None:
  def run() -> None:
    """The job; a UserError out of it becomes one sentence."""
    config = _checked_config()
    workdir = _WORKDIR.value or configuration.default_workdir(config)
    what = f'{config.method}, {config.num_bits} bits, {config.data.name}'
    if _PROCESS_ID.value == 0:
      print(f'{what}: {workdir}', file=sys.stderr, flush=True)
    from nph_jax import distributed, pipeline  # slow; wrong flags fail before

    logging.set_verbosity(logging.WARNING)  # orbax reports every step of its
    distributed.start(
      _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value
    )
    pipeline.run(config, workdir, tuple(_STAGES.value))

  errors.run_main(run)


if __name__ == '__main__':
  app.run(_main, flags_parser=_parse)
