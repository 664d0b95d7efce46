"""The moving digits of a run's database as videos to look at and search.

python -m examples.moving_digit_videos --run=runs/demo --out=runs/demo/videos

Writes 0000.webm and so on, and what `python -m nph_jax.extract` would: the
features, which for these videos are their pixels, and the manifest. So the
folder is the worked case of the way from videos to the search page.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence

import numpy as np

from nph_jax import atomic, errors
from nph_jax.data import moving_digits, progress

_FRAMES_PER_SECOND = 10
_SCALE = 16  # pixels of a video to one of the canvas


def write(config: dict, out: pathlib.Path) -> int:
  """Writes the videos, features.npy and features.manifest.jsonl into `out`.

  Args:
    config: `config.json` of a run on moving_digits.
    out: a folder, made if need be.

  Returns:
    The number of videos.
  """
  data = config['data']
  number = data['database']['num_videos']
  frames, labels = moving_digits.make_videos(
    'database',
    0,
    number,
    seed=config['seed'],
    num_frames=data['num_frames'],
    canvas=data['canvas'],
  )
  out.mkdir(parents=True, exist_ok=True)
  rows = []
  with progress.bar('videos', number, 'video') as bar:
    for video, (pixels, present) in enumerate(zip(frames, labels, strict=True)):
      path = f'{video:04d}.webm'
      with atomic.replacing(out / path) as temporary:
        _encode(temporary, _pictures(pixels, data['canvas']))
      rows.append(_about(path, len(pixels), present))
      bar.update(1)
  with atomic.replacing(out / 'features.npy') as temporary:
    np.save(temporary, frames)
  text = ''.join(f'{json.dumps(row)}\n' for row in rows)
  with atomic.replacing(out / 'features.manifest.jsonl') as temporary:
    temporary.write_text(text)
  return number


def _about(path: str, num_frames: int, present: np.ndarray) -> dict:
  times = (np.arange(num_frames) / _FRAMES_PER_SECOND).tolist()
  return {
    'path': path,
    'duration': num_frames / _FRAMES_PER_SECOND,
    'frame_times': times,
    'labels': [str(digit) for digit in np.flatnonzero(present)],
  }


def _pictures(pixels: np.ndarray, canvas: int) -> np.ndarray:
  """Pixels [M, canvas^2] as grey pictures uint8 [M, side, side]."""
  grey = pixels.astype(np.float32) * (255 / moving_digits.PEAK)
  grey = grey.clip(0, 255).astype(np.uint8).reshape(-1, canvas, canvas)
  return grey.repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)


def _encode(path: pathlib.Path, pictures: np.ndarray) -> None:
  import av

  with av.open(str(path), 'w', format='webm') as file:
    stream = file.add_stream('libvpx', rate=_FRAMES_PER_SECOND)
    stream.height, stream.width = pictures.shape[1:]
    stream.pix_fmt = 'yuv420p'
    stream.options = {'deadline': 'realtime', 'cpu-used': '8'}
    # Threads take 40 times as long to hand each other so small a picture.
    stream.thread_count = 1
    for picture in pictures:
      file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, 'gray')))
    file.mux(stream.encode())


def _run_config(run: pathlib.Path) -> dict:
  path = run / 'config.json'
  try:
    config = json.loads(path.read_text())
  except (OSError, ValueError) as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error}); give --run the workdir of '
      '`python -m nph_jax.main --config=configs/moving_digits.py`.'
    ) from error
  if config.get('data', {}).get('name') != 'moving_digits':
    raise errors.UserError(
      f'{path}: is not of a run on moving_digits; the videos of another data '
      'set are your own files.'
    )
  return config


def main(argv: Sequence[str] | None = None) -> None:
  """Writes the videos of `--run` into `--out`.

  Raises:
    UserError: no such run, or av is not installed.
  """
  parser = errors.Parser(
    prog='python -m examples.moving_digit_videos',
    description='The moving digits of a run as videos.',
    allow_abbrev=False,
  )
  parser.add_argument('--run', required=True, help='workdir of the run')
  parser.add_argument('--out', required=True, help='folder of the videos')
  flags = parser.parse_args(argv)
  config = _run_config(pathlib.Path(flags.run))
  try:
    import av  # noqa: F401
  except ImportError as error:
    raise errors.UserError(
      "videos are written by PyAV: pip install 'nph-jax[video]'."
    ) from error
  out = pathlib.Path(flags.out)
  with errors.writing(out):
    print(f'{out}: {write(config, out)} videos')


if __name__ == '__main__':
  errors.run_main(main)
