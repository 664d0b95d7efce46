"""Neighborhood Preserving Hashing: section 3 of the paper, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
from flax import linen as nn

from nph_jax.models import hashing, initializers, lstm
from nph_jax.models.config import NPHConfig, RecurrentConfig, Sizes, make
from nph_jax.models.decoder import FrameDecoder
from nph_jax.models.encoder import NeighborhoodEncoder
from nph_jax.models.hashing_method import OPTIONS, HashingMethod
from nph_jax.models.linear_frames import LinearFrames
from nph_jax.models.method import Entry


class Code(NamedTuple):
  """What `encode` returns.

  relaxed_code t [B, K]; the last memory and neighborhood n [B, Nb], None where
  an ablation has none.
  """

  relaxed_code: jax.Array
  memory: jax.Array | None
  neighborhood: jax.Array | None


class Outputs(NamedTuple):
  """What the losses read.

  relaxed_code t and binary_code b [B, K]; reconstruction v~ [B, M, L];
  neighborhood n and neighborhood_reconstruction n~ [B, Nb], None where an
  ablation has none.
  """

  relaxed_code: jax.Array
  binary_code: jax.Array
  reconstruction: jax.Array | LinearFrames
  neighborhood: jax.Array | None
  neighborhood_reconstruction: jax.Array | None


class NPH(nn.Module):
  """Encoder, sign, decoder and the reconstruction of the neighbourhood.

  Attributes:
    num_bits: K.
    num_frames: M.
    frame_dim: L.
    config: widths and parts.
    axis_name: devices' axis under pmap.
  """

  num_bits: int
  num_frames: int = 25
  frame_dim: int = 4096
  config: NPHConfig = NPHConfig()
  axis_name: str | None = None

  reads_nearest: ClassVar[bool] = True  # whether codes depend on the anchors

  def setup(self):
    self.neighborhood = dense(self.config.memory_width)
    self.encoder = NeighborhoodEncoder(
      self.num_frames, self.config, self.axis_name
    )
    self.reconstruct_neighborhood = dense(self.config.memory_width)
    self.setup_code()

  def setup_code(self):
    """Hash layer and decoder, which the ablations share."""
    self.hash_layer = hashing.HashLayer(self.num_bits)
    self.first_frame = dense(self.frame_dim)
    self.decoder = FrameDecoder(self.num_frames, self.frame_dim, self.config)

  def encode(
    self, frames: jax.Array, nearest: jax.Array, train: bool = False
  ) -> Code:
    """The code of videos, and what it was made from (eq. 1).

    Args:
      frames: v, [B, M, L].
      nearest: the a nearest anchors u*, nearest first, [B, A, D].
      train: see encoder.Encoder.
    """
    rows = nearest.reshape(nearest.shape[0], -1)
    neighborhood = self.neighborhood(rows)  # eq. 11
    encoded = self.encoder(frames, neighborhood, train)  # eq. 3-9
    relaxed = self.hash_layer(encoded.video)  # eq. 10
    return Code(relaxed, encoded.memory, neighborhood)

  def __call__(
    self, frames: jax.Array, nearest: jax.Array, train: bool = False
  ) -> Outputs:
    """Everything that the losses need; arguments as `encode`."""
    code = self.encode(frames, nearest, train)
    binary = hashing.sign_ste(
      code.relaxed_code, self.config.sign_window
    )  # eq. 2
    return Outputs(
      code.relaxed_code,
      binary,
      self.reconstruct(binary),
      code.neighborhood,
      self.rebuild_neighborhood(code.memory),
    )

  def reconstruct(self, binary: jax.Array) -> jax.Array | LinearFrames:
    """v~1 .. v~M [B, M, L] from b [B, K], by way of v~0 (section 3.2)."""
    width = self.config.hidden_width
    state = lstm.zero_state(binary.shape[0], width, binary.dtype)
    return self.decoder(self.first_frame(binary), state)

  def rebuild_neighborhood(self, memory: jax.Array | None) -> jax.Array | None:
    """n~ = FC(m_M, b) [B, Nb], which eq. 17 compares with n."""
    return self.reconstruct_neighborhood(memory)


def dense(width: int) -> nn.Dense:
  """A layer FC(., width) of the paper, Xavier-initialised (section 4.1)."""
  return nn.Dense(width, kernel_init=initializers.xavier)


def build(
  sizes: Sizes, model: RecurrentConfig, options: Mapping[str, Any]
) -> HashingMethod:
  """NPH for the registry."""
  config = make(NPHConfig, {**vars(model), **options})
  return make(HashingMethod, {**options, 'module': NPH(*sizes, config)})


# Every value of the paper, where it gives one.
PAPER = Entry('NPH (paper)', build, OPTIONS)

# Frames as long as y and the anchors, and y as chosen on training videos:
# experiments/README.md. Weights and a are the paper's.
ENTRY = Entry(
  'NPH',
  build,
  {**OPTIONS, 'frame_length': 1.0},
  {
    'neighborhood.features': 'neighbors',
    'neighborhood.width': 64,
    'neighborhood.num_nearest': 3,
    'neighborhood.target_density': 0.05,
  },
)
