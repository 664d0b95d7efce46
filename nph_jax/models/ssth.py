"""Self-Supervised Temporal Hashing (Zhang et al. 2016, reference [16]).

A binary LSTM of width K reads the frames; its last t is the relaxed code. Three
LSTMs without input start from the code b and the encoder's last cell, and write
the frames in reverse order, in order, and a sequence of which only the mean
counts. As in the authors' public demo, the cell is a way past the bits; NPH has
no such way.

Loss: a third each of |reverse error|^2, |forward error|^2 and 200 times
|error of the mean|^2, sums over videos, frames and widths. Here all is divided
by their number B M L: means of the first two, and 200 / M times that of the
third. What remains of the original's weight decay (1e-4 beside the sum) is some
1e-11 and is left out.

Layers: NPH's text speaks of a stacked binary LSTM encoder-decoder, the authors'
demo has one layer of each and is the default (method_options.layers = 1). Two
layers are an interpretation: a real-valued LSTM of the same kind and width
below the binary one, and below each decoder's LSTM another one that starts from
zeros; SSVH without its stride.

Everyone's optimiser here is Adam; the original's is SGD with a velocity clipped
to 1e-4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from nph_jax.models import hashing
from nph_jax.models.binary_lstm import BinaryLSTM
from nph_jax.models.config import RecurrentConfig, Sizes, require
from nph_jax.models.free_decoder import FreeDecoder
from nph_jax.models.lstm import LSTMState
from nph_jax.models.method import Entry, HashingModule
from nph_jax.models.reconstruction import Outputs, ReconstructionMethod

_MEAN_WEIGHT = 200.0


class BinaryAutoencoder(HashingModule):
  """Binary LSTM encoder and three decoders, in one level or two, all K wide.

  Attributes:
    stride: 0 for one level. Else the binary LSTM reads every stride-th state of
      a lower one; what frames that leaves over at the end are not read.
    axis_name: devices' axis under pmap.
  """

  stride: int = 0
  axis_name: str | None = None

  def setup(self):
    stride = self.stride or 1
    self.used_frames = self.num_frames - self.num_frames % stride
    if self.stride:
      self.lower = self._lstm(self.used_frames, binary=False)
    self.encoder = self._lstm(self.used_frames // stride, binary=True)
    self.hash_layer = hashing.CodeState()
    self.decode_reverse = self._decoder()
    self.decode_forward = self._decoder()
    self.decode_mean = self._decoder()

  def _lstm(self, num_steps: int, binary: bool) -> BinaryLSTM:
    return BinaryLSTM(
      num_steps, self.num_bits, binary, self.config, self.axis_name
    )

  def _decoder(self) -> FreeDecoder:
    return FreeDecoder(
      self.used_frames,
      self.frame_dim,
      self.num_bits,
      self.config,
      self.stride,
    )

  def encode(
    self, frames: jax.Array, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Relaxed code t and last cell, [B, K] each, of frames [B, M, L]."""
    inputs = frames[:, : self.used_frames]
    if self.stride:
      inputs = self.lower(inputs, train)[1][:, self.stride - 1 :: self.stride]
    state, _ = self.encoder(inputs, train)
    return self.hash_layer(state.hidden), state.cell

  def __call__(self, frames: jax.Array, train: bool = False) -> Outputs:
    """Everything that the losses need, of frames [B, M, L]."""
    relaxed, cell = self.encode(frames, train)
    state = LSTMState(cell, hashing.sign_ste(relaxed, self.config.sign_window))
    return Outputs(
      relaxed,
      self.decode_reverse(state)[:, ::-1],
      self.decode_forward(state),
      self.decode_mean.mean(state),
    )


def build(
  sizes: Sizes, model: RecurrentConfig, options: Mapping[str, Any]
) -> ReconstructionMethod:
  """SSTH for the registry; UserError unless it has one layer or two."""
  require('layers', options['layers'], lambda v: v in (1, 2), '1 or 2')
  module = BinaryAutoencoder(*sizes, model, stride=options['layers'] - 1)
  weights = {
    'reverse': 1 / 3,
    'forward': 1 / 3,
    'mean': _MEAN_WEIGHT / (3 * sizes.num_frames),
  }
  return ReconstructionMethod(module, weights)


ENTRY = Entry('SSTH', build, {'layers': 1})
