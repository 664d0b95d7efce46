"""Videos of given pictures, as tests want them encoded."""

import fractions
import os

import pytest


def encode(
  target, pictures, codec='mpeg4', pixels='yuv420p', rate=10, pts=None,
  container=None, container_options=None, options=None, **stream_values,
):  # fmt: skip
  """Writes pictures, uint8 [H, W, 3], to a path or file, and returns that.

  Args:
    target: where to.
    pictures: all of one size.
    codec, pixels, options: of the stream; pixels None for the codec's first.
    rate: frames a second.
    pts: when each is shown, in frames of the rate; None: one after the other.
    container, container_options: None for what the name says.
    stream_values: further attributes of PyAV's stream.
  """
  av = pytest.importorskip('av')
  path = os.fspath(target) if isinstance(target, os.PathLike) else target
  with av.open(
    path, 'w', format=container, container_options=container_options or {}
  ) as file:
    stream = file.add_stream(codec, rate=rate, options=options or {})
    stream.height, stream.width = pictures[0].shape[:2]
    stream.pix_fmt = pixels or stream.codec_context.codec.video_formats[0].name
    for name, value in stream_values.items():
      setattr(stream, name, value)
    for number, picture in enumerate(pictures):
      frame = av.VideoFrame.from_ndarray(picture, 'rgb24')
      frame.pts = number if pts is None else pts[number]
      frame.time_base = fractions.Fraction(1, rate)
      file.mux(stream.encode(frame))
    file.mux(stream.encode())
  return target
