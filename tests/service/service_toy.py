"""A small service: a linear hash, an index, clips, and a decoder that fails.

Features of a clip are the mean colours of its frames' quarters, so that every
code can be computed here. Decoding processes import this file: it has to be
light.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import signal
import socket
import stat
import threading
import time

import numpy as np

NUM_FRAMES, FEATURE_DIM, NUM_BITS, BLOCK_SIZE = 4, 12, 32, 8
KERNEL = np.random.default_rng(0).standard_normal(
  (NUM_FRAMES * FEATURE_DIM, NUM_BITS), dtype=np.float32
)
# What a file has to hold for the decoder to fail on it; begins like an mp4.
HANGS, CRASHES, EATS, LIES, RAISES, STALLS = (
  b'\0\0\0\x18ftypisom' + name
  for name in (b'HANG', b'CRASH', b'EAT', b'LIE', b'OOPS', b'STALL')
)


def load(*_):
  """The decoder of the tests, in place of decoder_tasks.load."""
  from nph_jax.service import decoder_tasks

  handle = decoder_tasks.load()

  def toy(job, file):
    start = file.read(64)
    if start == HANGS:
      time.sleep(1000)
    if start == CRASHES:
      os.kill(os.getpid(), signal.SIGSEGV)
    if start == EATS:
      eaten = [bytearray(64 << 20) for _ in range(1000)]
      return {}, [bytes(eaten[0])]
    if start == LIES:
      return {'duration': 'long', 'frame_times': None}, [b'12', b'']
    if start == STALLS:  # a message that is never whole
      for number in range(3, 64):
        with contextlib.suppress(OSError):
          if stat.S_ISSOCK(os.fstat(number).st_mode):
            os.write(number, (1000).to_bytes(4) + b'x')
      time.sleep(1000)
    if start == RAISES:
      raise ZeroDivisionError
    file.seek(0)
    return (
      _features(job, file) if job['do'] == 'features' else handle(job, file)
    )

  return toy


def load_nothing(*_):
  from nph_jax import errors

  raise errors.UserError('the toy cannot be loaded.')


def load_once_there_is(path):
  if not os.path.exists(path):
    load_nothing()
  return lambda job, file: ({'went': file.read().decode()}, [])


def load_sleeper():
  def sleep(job, _):
    time.sleep(job['sleep'])
    return {'process': os.getpid()}, []

  return sleep


def load_in_parts():
  def answer(job, file):
    for number in range(job['parts']):
      yield {'more': True, 'number': number}, [file.read(1)]
    yield {'process': os.getpid()}, []

  return answer


def load_probe():
  return lambda job, _: (_probe(**job), [])


def _probe(port, folder):
  """What a decoding process may still do."""
  import resource

  def attempt(what):
    try:
      what()
    except OSError as error:
      return errno.errorcode[error.errno]
    return ''

  status = pathlib.Path('/proc/self/status').read_text().splitlines()
  return {
    'status': dict(line.split(':\t', 1) for line in status if ':\t' in line),
    'limits': {
      name: resource.getrlimit(getattr(resource, f'RLIMIT_{name}'))[1]
      for name in ('FSIZE', 'CORE', 'NPROC', 'DATA')
    },
    'written': attempt(lambda: pathlib.Path(folder, 'new').write_text('x')),
    'connected': attempt(lambda: socket.create_connection(('127.0.0.1', port))),
    'network': os.readlink('/proc/self/ns/net'),
  }


def _features(job, file):
  from nph_jax.extraction import decoding
  from nph_jax.service import stills

  video = decoding.sample_frames(file, job['num_frames'], **job['limits'])
  features = quarters(np.stack(video.frames)).astype('<f2')
  fields = {
    'duration': video.duration,
    'frame_times': video.times.tolist(),
    'size': video.size,
  }
  return fields, [features.tobytes(), stills.jpeg(video.frames[0])]


def quarters(frames):
  """Mean colours [M, 12] of the quarters of frames [M, H, W, 3]."""
  count, height, width = frames.shape[:3]
  parts = frames.reshape(count, 2, height // 2, 2, width // 2, 3)
  return parts.mean(axis=(2, 4)).reshape(count, 12) / 64 - 2


def features(number, seed=0):
  """float16 [number, M, L]."""
  rng = np.random.default_rng(seed)
  shape = (number, NUM_FRAMES, FEATURE_DIM)
  return rng.standard_normal(shape).astype(np.float16)


def relaxed(frames):
  flat = np.asarray(frames, np.float16).reshape(len(frames), -1)
  return flat.astype(np.float32) @ KERNEL


def codes(frames):
  return np.packbits(relaxed(frames) >= 0, axis=1)


def nearest(query, database, ids, k):
  """(distance, id) of the k nearest, by brute force."""
  bits = np.unpackbits(query ^ database, axis=1).sum(1)
  return sorted(zip(bits.tolist(), ids))[:k]


def ranked(t, database, ids, k):
  """(distance, id) of the k of greatest t . b, by brute force."""
  signs = np.unpackbits(database, axis=1) * 2.0 - 1
  bits = np.unpackbits(np.packbits(t >= 0) ^ database, axis=1).sum(1)
  products = (signs @ t.astype(np.float64)).round(9)
  found = sorted(zip((-products).tolist(), ids, bits.tolist()))
  return [(distance, id) for _, id, distance in found[:k]]


def npy(array):
  import io

  file = io.BytesIO()
  np.save(file, array)
  return file.getvalue()


def write_bundle(folder, num_frames=NUM_FRAMES, feature_dim=FEATURE_DIM):
  """A linear hash, exported like any other; KERNEL's by default."""
  import jax
  import jax.export
  import jax.numpy as jnp

  from nph_jax.export import bundle, hasher

  def program(parameters, frames):
    rows = frames.astype(jnp.float32).reshape(frames.shape[0], -1)
    values = rows @ parameters['kernel']
    return {
      'finite': jnp.isfinite(frames).all(axis=(1, 2)),
      'packed_code': jnp.packbits(values >= 0, axis=-1),
      'relaxed_code': values,
    }

  kernel = KERNEL
  if num_frames * feature_dim != len(KERNEL):
    kernel = np.random.default_rng(0).standard_normal(
      (num_frames * feature_dim, NUM_BITS), dtype=np.float32
    )
  shape = jax.export.symbolic_shape(f'batch, {num_frames}, {feature_dim}')
  exported = jax.export.export(jax.jit(program))(
    {'kernel': jax.ShapeDtypeStruct(kernel.shape, kernel.dtype)},
    jax.ShapeDtypeStruct(shape, jnp.float16),
  )
  manifest = {
    'format': bundle.FORMAT,
    'jax': jax.__version__,
    'num_bits': NUM_BITS,
    'num_frames': num_frames,
    'feature_dim': feature_dim,
    'block_size': BLOCK_SIZE,
    'method': 'linear',
    'dataset': 'toy',
    'step': 0,
    'config': {'seed': 0},
  }
  made = bundle.Bundle(
    bytes(exported.serialize()), {'kernel': kernel}, manifest
  )
  bundle.write(made, folder)
  return hasher.load_hasher(folder)


def clip(path, seed=0, num_frames=12, size=64, codec=None, height=None):
  """Writes a clip of four coloured quarters that slowly change."""
  import av

  rng = np.random.default_rng(seed)
  start, end = rng.integers(20, 235, (2, 2, 2, 3))
  codec = codec or {'.webm': 'libvpx', '.mp4': 'libx264'}.get(
    path.suffix, 'mpeg4'
  )
  path.parent.mkdir(parents=True, exist_ok=True)
  with av.open(str(path), 'w') as container:
    stream = container.add_stream(codec, rate=12)
    stream.width, stream.height = size, height or size
    stream.pix_fmt = 'yuv420p'
    for number in range(num_frames):
      share = number / num_frames
      colours = start * (1 - share) + end * share
      pixels = colours.repeat(stream.height // 2, 0).repeat(size // 2, 1)
      frame = av.VideoFrame.from_ndarray(pixels.astype(np.uint8), 'rgb24')
      container.mux(stream.encode(frame))
    container.mux(stream.encode())
  return path


def clip_features(path):
  """What the toy decoder makes of a clip, float16 [1, M, L]."""
  from nph_jax.extraction import decoding

  frames = np.stack(decoding.sample_frames(path, NUM_FRAMES).frames)
  return quarters(frames).astype(np.float16)[None]


def answer(connection):
  """All of an answer that says its length: it may come in pieces."""
  with connection.makefile('rb') as file:
    head = b''.join(iter(file.readline, b'\r\n'))
    length = head.lower().partition(b'content-length: ')[2].split()[0]
    return head + file.read(int(length))


def refused(answer, status):
  """The sentence of an answer that is a problem, as RFC 9457 has it."""
  assert answer.status_code == status, answer.text
  assert answer.headers['content-type'] == 'application/problem+json'
  told = answer.json()
  assert list(told) == ['title', 'status', 'detail'], told
  assert told['status'] == status and told['detail'].endswith('.')
  assert len(told['detail']) < 400
  assert not any(x in told['detail'] for x in ('Traceback', '/tmp', '/work'))
  return told['detail']


def comes_to(condition):
  """Waits until it holds; a busy machine takes its time."""
  end = time.monotonic() + 60
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.02)


@contextlib.contextmanager
def running(app):
  """Serves `app` at a free port; yields its address."""
  from nph_jax.service import server as server_lib

  listening = socket.create_server(('127.0.0.1', 0), backlog=256)
  server = server_lib.server(app, log_level='critical')
  thread = threading.Thread(target=server.run, args=([listening],))
  with listening:
    thread.start()
    try:
      yield f'http://127.0.0.1:{listening.getsockname()[1]}'
    finally:
      server.should_exit = True
      thread.join()


def make_index(folder, hasher, videos, number=40, keep_relaxed=True):
  """An index of features, and of the clips below `videos` if there are any.

  Returns the codes by id.
  """
  from nph_jax.index import video_index

  paths = sorted(p for p in pathlib.Path(videos).rglob('*.*') if p.is_file())
  frames = [clip_features(path)[0] for path in paths]
  frames = np.stack([*frames, *features(number)])
  metadata = [
    {
      'path': str(path.relative_to(videos)),
      'labels': [path.parent.name],
      'duration': 1.0,
      'backbone': 'toy',
    }
    for path in paths
  ]
  metadata += [{'labels': [f'digit {n % 4}']} for n in range(number)]
  with video_index.VideoIndex.create(
    folder,
    NUM_BITS,
    bundle_digest=hasher.digest,
    keep_relaxed=keep_relaxed,
  ) as index:
    t = relaxed(frames) if keep_relaxed else None
    index.add(codes(frames), metadata, t)
  return codes(frames)


def npy_file(path):
  """A `.npy` file that is no video's features."""
  np.save(path, np.zeros((2, 2), np.float32))
  return path
