"""From a folder of videos to a page.

python -m benchmarks.folders VIDEOS WORK

Copies the first 18 videos of a folder, makes 11 of other kinds of them, and
times `nph-jax add` of the 18, of all 29 and of one more to 1,000 made-up ones,
each until the page answers. Processor time is by stage: that of a machine with
other work, too.
"""

from __future__ import annotations

import fractions
import json
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np

from nph_jax.extraction import files
from nph_jax.library import following
from nph_jax.library import library as library_lib

# Kind: how many, suffix, codec, width and height, its options.
KINDS = {
  'phone, upright': (3, '.mp4', 'libx264', (1920, 1080), {}),
  'screen cast': (2, '.mp4', 'libx264', (1920, 1080), {'g': '250'}),
  'webm': (2, '.webm', 'libvpx-vp9', (1280, 720), {'cpu-used': '8'}),
  'HEVC': (2, '.mp4', 'libx265', (1920, 1080), {}),
  'mov': (2, '.mov', 'libx264', (1280, 720), {}),
}
_FAST = {'preset': 'ultrafast', 'deadline': 'realtime'}
_LEVEL, _TURNED = (
  b''.join((x % (1 << 32)).to_bytes(4, 'big') for x in matrix)
  for matrix in (
    (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30),
    (0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30),
  )
)
_MADE_UP = 1000
# Runs nph-jax and says where its processor time went, in seconds.
_TIMED = """
import json, resource, sys, time
from nph_jax import __main__
from nph_jax.extraction import onnx_model
from nph_jax.library import following

spent = {}
def timed(owner, name, stage):
  whole = getattr(owner, name)
  def measured(*args, **kwargs):
    start = time.process_time()
    try:
      return whole(*args, **kwargs)
    finally:
      spent[stage] = spent.get(stage, 0) + time.process_time() - start
  setattr(owner, name, measured)

timed(onnx_model.Model, 'features', 'network')
timed(following, 'follow', 'codes and index')
timed(following, 'learn', 'codes and index')
__main__.main()
spent['start'] = time.process_time() - sum(spent.values())
workers = resource.getrusage(resource.RUSAGE_CHILDREN)
spent['decoding, with the start of its processes'] = (
  workers.ru_utime + workers.ru_stime
)
print(json.dumps(spent))
"""


def make(kind: str, video: pathlib.Path, out: pathlib.Path) -> None:
  """Writes a video as `kind` has it, of the frames of another."""
  import av

  _, _, codec, (width, height), options = KINDS[kind]
  with av.open(str(out), 'w') as file:
    stream = file.add_stream(codec, rate=25, options={**_FAST, **options})
    stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
    for number, frame in enumerate(_frames(kind, video)):
      frame = frame.reformat(width, height, 'yuv420p')
      frame.pts, frame.time_base = number, fractions.Fraction(1, 25)
      file.mux(stream.encode(frame))
    file.mux(stream.encode())
  if kind == 'phone, upright':
    content = out.read_bytes()
    place = content.index(_LEVEL, content.index(b'tkhd'))
    end = place + len(_LEVEL)
    out.write_bytes(content[:place] + _TURNED + content[end:])


def _frames(kind: str, video: pathlib.Path) -> Iterator[Any]:
  """Those of the video; a screen cast shows each for two seconds."""
  import av

  with av.open(str(video)) as file:
    for number, frame in enumerate(file.decode(video=0)):
      if kind != 'screen cast':
        yield frame
      elif number < 30:
        yield from [frame] * 50


def _add(videos: pathlib.Path, library: pathlib.Path) -> dict[str, Any]:
  """Seconds until the videos are in, until the page answers, and by stage."""
  command = [sys.executable, '-c', _TIMED, 'add', str(videos)]
  start = time.monotonic()
  said = subprocess.run(
    [*command, f'--index={library}'], stdout=subprocess.PIPE, check=True
  ).stdout
  added = time.monotonic() - start
  command = [sys.executable, '-m', 'nph_jax', 'serve', f'--index={library}']
  with subprocess.Popen(
    [*command, '--port=0'], stdout=subprocess.PIPE, text=True
  ) as service:
    address = next(x[5:] for x in service.stdout if x.startswith('open '))
    urllib.request.urlopen(address.strip()).read()
    served = time.monotonic() - start
    service.terminate()
  stages = json.loads(said.splitlines()[-1])
  return {'added': added, 'served': served, 'processor': stages}


def _made_up(folder: pathlib.Path, library: pathlib.Path) -> None:
  """A library of videos that were never extracted."""
  folder.mkdir()
  rng = np.random.default_rng(0)
  with library_lib.Library(library) as opened:
    opened.store.set(
      backbone='efficientnet_lite0', weights=None, num_frames=25,
      feature_dim=1280,
    )  # fmt: skip
    for number in range(_MADE_UP):
      path = folder / f'{number}.mp4'
      path.write_text(str(number))
      video = files.Video(str(path), files.stamp(str(path)))
      frames = rng.random((25, 1280)).astype(np.float16)
      record = {'hash': f'{number:032x}', 'duration': 1.0}
      opened.store.put(video.path, video.stamp, record, frames)
    following.follow(opened)
    following.learn(opened)


def main() -> None:
  """Prints one JSON object a measurement."""
  videos, work = map(pathlib.Path, sys.argv[1:])
  shutil.rmtree(work, ignore_errors=True)
  (work / 'few').mkdir(parents=True)
  (work / 'mixed').mkdir()
  some = sorted(path for path in videos.rglob('*') if path.suffix == '.avi')[
    :18
  ]
  for path in some:
    shutil.copy(path, work / 'few')
    shutil.copy(path, work / 'mixed')
  sources = iter(some)
  for kind, (count, suffix, *_) in KINDS.items():
    for number in range(count):
      name = f'{kind} {number}{suffix}'
      make(kind, next(sources), work / 'mixed' / name)
  _made_up(work / 'many', work / 'library of many')
  shutil.copy(some[0], work / 'many' / 'one more.avi')
  for name in ('few', 'mixed', 'many'):
    library = work / ('library of ' + name)
    print(json.dumps({name: _add(work / name, library)}), flush=True)


if __name__ == '__main__':
  main()
