"""One device against four: the same training, and what rounding makes of it.

  python -m experiments.devices [--seeds=0,1,2]

Moving digits, 1,000 videos, NPH with the paper's values and 32 bits, on one and
on four virtual CPU devices; prints mAP@20 of each and the share of bits that
differ. Runs are kept in runs/experiments/devices and not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

FOLDER = pathlib.Path('runs/experiments/devices')
COMMAND = (
  '--config=configs/moving_digits.py:nph_paper,bits=32',
  '--config.data.train.num_videos=1000',
  '--config.data.num_frames=10',
  '--config.neighborhood.num_steps=300',
  '--config.train.num_steps=300',
  '--config.checkpoint.keep=1',
  '--stages=prepare,train,evaluate',
)


def run(seed: int, devices: int) -> pathlib.Path:
  """The workdir of the finished run."""
  workdir = FOLDER / f'seed{seed}-{devices}'
  # More host threads than cores, or virtual devices wait for one another.
  environment = {
    **os.environ,
    'NPROC': '16',
    'XLA_FLAGS': f'--xla_force_host_platform_device_count={devices}',
  }
  command = (sys.executable, '-m', 'nph_jax.main', *COMMAND)
  own = (f'--workdir={workdir}', f'--config.seed={seed}')
  subprocess.run([*command, *own], check=True, env=environment)
  return workdir


def measure(workdir: pathlib.Path) -> tuple[float, np.ndarray]:
  """mAP@20 (min_rk, ties expected, Hamming), and the database's bits."""
  rows = json.loads((workdir / 'metrics.json').read_text())['map']
  wanted = {'k': 20, 'denominator': 'min_rk', 'ties': 'expected'}
  value = next(
    row['value']
    for row in rows
    if wanted.items() <= row.items() and row.get('ranking') != 'asymmetric'
  )
  return value, np.unpackbits(np.load(workdir / 'codes' / 'database.npy'))


def main() -> None:
  """Runs what is missing and prints a table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--seeds', default='0,1,2')
  seeds = [int(s) for s in parser.parse_args().seeds.split(',')]
  lines = ['| seed | one | four devices | bits that differ |']
  lines.append('| - | - | - | - |')
  for seed in seeds:
    (one, bits), (four, others) = (measure(run(seed, n)) for n in (1, 4))
    share = np.mean(bits != others)
    lines.append(f'| {seed} | {one:.3f} | {four:.3f} | {share:.1%} |')
  print('\n'.join(lines))


if __name__ == '__main__':
  main()
