"""The main job: the stages in their order, and what it says at the end."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable

import jax

from nph_jax import allocator, compilation, configuration, distributed
from nph_jax.retrieval import report
from nph_jax.stages import evaluating, exporting, prepare, training
from nph_jax.stages.job import Job, open_job

STAGES = {
  'prepare': prepare.run,
  'train': training.run,
  'evaluate': evaluating.run,
  'export': exporting.run,
}
# With 440 videos no trained method had better codes than itq_neighbors, with
# 1,311 nph_tuned had (experiments/results/summary.md).
_FEW_VIDEOS = 500


def run_stages(
  config: configuration.ConfigDict,
  workdir: str,
  stages: Iterable[str],
  tell: Callable[[str], None] = lambda line: None,
) -> Job:
  """Runs the chosen stages; each skips what the workdir already holds.

  Args:
    config: checked by configuration.check.
    workdir: folder of all results.
    stages: of STAGES; run in the order of STAGES whatever theirs.
    tell: is told of each stage as it begins.

  Raises:
    UserError: anything wrong with sources, sizes, folder or values.
  """
  job = open_job(config, workdir)
  chosen = [name for name in STAGES if name in stages]
  for number, name in enumerate(chosen, start=1):
    tell(f'{number}/{len(chosen)} {name}{_remark(job, name)}')
    STAGES[name](job)
    distributed.barrier(f'stage {name}')
  return job


def _remark(job: Job, stage: str) -> str:
  """What to know before `stage` begins."""
  if stage != 'train' or job.method.is_closed_form:
    return ''
  remarks = []
  if job.num_train <= _FEW_VIDEOS:
    remarks.append(
      f': {job.num_train} videos are few; with 440 real ones no training gave '
      'better codes than the method itq_neighbors, which takes seconds'
    )
  is_default = jax.config.jax_default_matmul_precision is None
  exact = job.config.model.precision == 'float32'
  if exact and is_default and jax.default_backend() == 'gpu':
    remarks.append(
      ': float32 means TF32 products on this GPU; exact ones, slower, with '
      'JAX_DEFAULT_MATMUL_PRECISION=highest'
    )
  return ''.join(remarks)


def _tell(line: str) -> None:
  if distributed.is_primary():
    print(line, file=sys.stderr, flush=True)


def run(
  config: configuration.ConfigDict, workdir: str, stages: tuple[str, ...]
) -> None:
  """`run_stages` as a program of its own, which says what came of it."""
  allocator.keep_freed_memory()
  compilation.set_up()
  job = run_stages(config, workdir, stages, _tell)
  if not distributed.is_primary():
    return
  if job.workdir.metrics.exists():
    print(_summary(job, config.eval.exclude_self))
  elif job.workdir.export.exists():
    print(f'\nno labels, so nothing was evaluated\n{_next_step(job)}')


def _summary(job: Job, exclude_self: bool) -> str:
  """The table under the configured protocol; see configs' eval.exclude_self.

  Self can only be excluded where queries are in the database.
  """
  metrics = json.loads(job.workdir.metrics.read_text())
  rows = [row for row in metrics['map'] if row['ties'] == 'expected']
  shown = [row for row in rows if row['exclude_self'] == exclude_self]
  shown = shown or [row for row in rows if not row['exclude_self']]
  return f"""
{metrics['method']}, {metrics['num_bits']} bits, {metrics['dataset']}:

{report.metrics_table(shown)}

report: {job.workdir.report}
{_next_step(job)}"""


def _next_step(job: Job) -> str:
  """A command that can be pasted, but for digits, which have no files."""
  features = ','.join(job.spec.database.features) or 'FEATURES.h5'
  export = job.workdir.export
  flags = f'--bundle={export}', f'--out={export.with_name("index")}'
  flags = [shlex.quote(x) for x in (*flags, f'--features={features}')]
  return f"""\
next:   {sys.executable} -m nph_jax.index build \\
          {' '.join(flags)}
"""
