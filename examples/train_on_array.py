"""Train on an array of frame features, keep the hasher, search with it.

  python -m examples.train_on_array

Labels are read by the evaluation alone.
"""

import nph_jax
from nph_jax.data import moving_digits


def main(method='nph', num_videos=2000, num_steps=1000, out='digits-hasher'):
  """Prints mAP@20 of digits that the training has not seen."""
  # (videos, frames, width): the place of your own features.
  frames, _ = moving_digits.make_videos('train', 0, num_videos, seed=0)
  hasher = nph_jax.fit(
    frames, method, num_bits=32, num_steps=num_steps, progress=True
  )
  hasher.save(out)

  hasher = nph_jax.load_hasher(out)  # as in another program, without flax
  queries, query_labels = moving_digits.make_videos('query', 0, 200, seed=0)
  videos, labels = moving_digits.make_videos('database', 0, 1000, seed=0)
  scores = nph_jax.evaluate(
    hasher.encode(queries), query_labels, hasher.encode(videos), labels
  )
  print(f'{method}: mAP@20 {scores.value(20):.3f}')


if __name__ == '__main__':
  main()
