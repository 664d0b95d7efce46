"""Frame features of a folder of videos, for training, encoding and search.

python -m nph_jax.extract --videos=DIR --out=features.h5

The same command continues an interrupted run, and later extracts what is new or
has changed. On n hosts, the same command on each but for --shard=0/n to n-1/n:
each writes features-0-of-n.h5 and so on, which all commands here read as one,
separated by commas.
"""

from __future__ import annotations

import argparse
import pathlib
import shlex
import sys
from collections.abc import Sequence

from nph_jax import errors
from nph_jax.extraction import backbones, extracting, onnx_model, output
from nph_jax.library import commands, feature_file, feature_rows

_SUFFIXES = ('.h5', '.hdf5')


def _parser() -> argparse.ArgumentParser:
  parser = errors.Parser(
    prog='python -m nph_jax.extract',
    description='Frame features of videos.',
  )
  add = parser.add_argument
  add(
    '--videos', required=True, help='folder, with folders as deep as you like'
  )
  add('--out', required=True, help='.h5, `feats` (videos, frames, width)')
  add(
    '--backbone',
    default=backbones.DEFAULT,
    help=f'{", ".join(backbones.BACKBONES)}; default {backbones.DEFAULT}; '
    "vgg16 is the paper's",
  )
  add(
    '--weights',
    help="file; default the network's own for ImageNet; for onnx, the .onnx",
  )
  pixels = onnx_model.Pixels()
  add('--size', help=f'onnx: pixels a side; default {pixels.size}')
  add('--mean', help='onnx: of pixels from 0 to 1, 1 or 3 numbers, as in .5')
  add('--scale', help="onnx: what divides them then; default both ImageNet's")
  add('--precision', help='bfloat16 or float32; default by backbone')
  count = {'type': commands.positive}
  add('--num_frames', **count, default=25, help='of each video; default 25')
  add('--label_names', help='.json of another extraction: the same columns')
  add('--shard', default='0/1', help='i/n: part i, from 0, of n')
  add('--batch_size', **count, default=4, help='videos at a time; default 4')
  add('--strict', action='store_true', help='exit code 1 if a video is bad')
  commands.following_flags(parser)
  return parser


def _shard(text: str) -> tuple[int, int]:
  number, _, total = text.partition('/')
  # Python reads no number of thousands of digits.
  whole = all(x.isdecimal() and len(x) < 10 for x in (number, total))
  if whole and int(number) < int(total):
    return int(number), int(total)
  raise errors.UserError(
    f'--shard={text[:40]}: expected i/n with i from 0 to n - 1, as in 0/4 to '
    '3/4.'
  )


def _out(flags: argparse.Namespace, shard: tuple[int, int]) -> pathlib.Path:
  out = pathlib.Path(flags.out)
  if out.suffix not in _SUFFIXES:
    raise errors.UserError(
      f'--out={out}: expected a name that ends in {" or ".join(_SUFFIXES)}.'
    )
  if not out.parent.is_dir():
    raise errors.UserError(
      f'{out}: the folder {out.parent} is missing; make it, or give --out a '
      'file in another one.'
    )
  return out if shard[1] == 1 else output.sharded(out, *shard)


def _job(flags: argparse.Namespace) -> feature_rows.Job:
  shard = _shard(flags.shard)
  if flags.label_names and flags.labels != 'folders':
    raise errors.UserError('--label_names needs --labels=folders.')
  backbone = backbones.named(
    flags.backbone, size=flags.size, mean=flags.mean, scale=flags.scale
  )
  options = extracting.Options(
    backbone=backbone,
    weights=flags.weights,
    precision=backbones.check_precision(backbone, flags.precision),
    num_frames=flags.num_frames,
    num_workers=flags.workers,
    time_limit=flags.time_limit,
    batch_size=flags.batch_size,
    provider=flags.provider or onnx_model.CPU,
    cluster=flags.cluster,
  )
  return feature_rows.Job(
    videos=flags.videos,
    out=_out(flags, shard),
    options=options,
    labels=None if flags.labels is None else flags.labels == 'folders',
    label_names=flags.label_names,
    shard=shard,
    prune=flags.prune,
    retry=flags.retry,
  )


def _say(job: feature_rows.Job, shape: Sequence[int], names: list[str]) -> None:
  """Says what was written and what to do with it."""
  num_videos, frames, width = shape
  print(f'{job.out}: {num_videos:,} videos, {frames} frames of width {width}')
  labels = output.beside(job.out, '_labels.mat')
  if names:
    print(f'{labels}: their labels, {len(names):,} folders')
  # A shard is no set to train on.
  if job.shard[1] == 1:
    flag = f' --config.data.train.labels={shlex.quote(str(labels))}'
    print(
      f'next: nph-jax train --config=custom:itq_neighbors,bits=64 '
      f'--workdir={shlex.quote(str(job.out.with_suffix(".run")))} '
      f'--config.data.train.features={shlex.quote(str(job.out))}'
      f'{flag if names else ""}'
    )


def main(argv: Sequence[str] | None = None) -> None:
  """Reads the videos, writes `--out` and the files beside it.

  Raises:
    UserError: any bad flag, no weights, or no video that could be read.
  """
  flags = _parser().parse_args(argv)
  job = _job(flags)
  advice = 'give --out a file in a folder that you may write to'
  with errors.writing(job.out, advice):
    report, shape, names = feature_file.run(job)
  report.show(flags.prune)
  if not shape[0]:
    raise errors.UserError(
      f'{job.videos}: none of its {len(report.bad)} videos could be read; '
      'nothing was written.'
    )
  _say(job, shape, names)
  if flags.strict and report.bad:
    sys.exit(1)


if __name__ == '__main__':
  errors.run_main(main)
