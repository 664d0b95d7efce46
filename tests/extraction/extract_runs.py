"""Runs of the command on clips, with a small network for the default's."""

import pathlib
import sys

import extraction_clips
import programs

WORKER = pathlib.Path(__file__).with_name('extract_worker.py')
SUFFIXES = ('.mp4', '.avi', '.MOV', '.mkv', '.webm')
FRAMES = 3
WIDTH = 48


def make_videos(folder):
  """Ten clips in two folders, two of them bad: the third and the last."""
  for number in range(9):
    name = f'{"jump" if number < 5 else "run"}/{number}{SUFFIXES[number % 5]}'
    extraction_clips.write_clip(folder / name, 4 + number)
  path = folder / 'jump' / '2.MOV'
  path.write_bytes(path.read_bytes()[:400])
  (folder / 'run' / '9.mp4').write_text('no video')


def command(videos, out, *flags):
  return [sys.executable, *_arguments(videos, out, *flags)]


def _arguments(videos, out, *flags):
  return [
    str(WORKER),
    f'--videos={videos}',
    f'--out={out}',
    f'--num_frames={FRAMES}',
    '--workers=2',
    '--batch_size=2',
    *flags,
  ]


def run(*arguments):
  return programs.run(*_arguments(*arguments))


def contents(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}
