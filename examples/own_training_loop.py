"""NPH in a training loop of your own: flax, optax and nothing else of nph_jax.

  python -m examples.own_training_loop

For y, from which anchors and S are made, the mean frame stands in here; the
paper's is the hidden state of an LSTM autoencoder (models.autoencoder).
"""

import jax
import numpy as np
import optax

from nph_jax import NPH, evaluate, total_loss
from nph_jax.data import moving_digits
from nph_jax.neighborhood.anchor_graph import pairwise_similarity
from nph_jax.neighborhood.anchors import fit_anchors, nearest_anchors


def main(num_videos=2000, num_frames=25, num_steps=500, batch_size=128):
  """Prints the loss at both ends, and mAP@20 of the training videos."""
  frames, labels = moving_digits.make_videos(
    'train', 0, num_videos, seed=0, num_frames=num_frames
  )
  y = frames.mean(axis=1)
  anchors = fit_anchors(y, num_videos // 20, seed=0)
  nearest = nearest_anchors(y, anchors, 3)  # [N, A] rows of anchors

  model = NPH(num_bits=32, num_frames=num_frames, frame_dim=frames.shape[2])
  optimizer = optax.adam(1e-3)
  state = model.init(jax.random.key(0), frames[:1], anchors[nearest[:1]])
  state, params = dict(state), state['params']
  del state['params']  # what is left: running moments of the cell state, eq. 8
  moments = optimizer.init(params)

  @jax.jit
  def step(params, state, moments, batch, key):
    def loss(params):
      outputs, updated = model.apply(
        {'params': params, **state},
        batch['frames'],
        batch['anchors'],
        train=True,
        rngs={'dropout': key},
        mutable=list(state),
      )
      similarity = pairwise_similarity(batch['nearest'], batch['nearest'])
      return total_loss(outputs, batch['frames'], similarity)[0], updated

    (value, state), gradient = jax.value_and_grad(loss, has_aux=True)(params)
    updates, moments = optimizer.update(gradient, moments)
    return optax.apply_updates(params, updates), state, moments, value

  values = []
  for number in range(num_steps):
    rows = np.random.default_rng(number).choice(
      num_videos, batch_size, replace=False
    )
    batch = {
      'frames': frames[rows],
      'anchors': anchors[nearest[rows]],
      'nearest': nearest[rows],
    }
    key = jax.random.key(number)
    params, state, moments, value = step(params, state, moments, batch, key)
    values.append(float(value))

  code = jax.jit(lambda *args: model.apply(*args, method='encode').relaxed_code)
  relaxed = code({'params': params, **state}, frames, anchors[nearest])
  scores = evaluate(np.packbits(np.asarray(relaxed) >= 0, axis=1), labels)
  print(f'loss {values[0]:.3f} to {values[-1]:.3f}')
  print(f'mAP@20 without self {scores.value(20, exclude_self=True):.3f}')
  return values, scores


if __name__ == '__main__':
  main()
