"""Score codes that something else has made: here, signs of random projections.

python -m examples.score_codes
"""

import numpy as np

import nph_jax
from nph_jax.data import moving_digits
from nph_jax.retrieval import report


def main(num_videos=1000, num_bits=32):
  """Prints mAP@K under every protocol, and one of the numbers."""
  frames, labels = moving_digits.make_videos('database', 0, num_videos, seed=0)
  features = frames.mean(axis=1) - frames.mean(axis=(0, 1))
  directions = np.random.default_rng(0).normal(
    size=(features.shape[1], num_bits)
  )
  relaxed = features @ directions
  codes = np.packbits(relaxed > 0, axis=1)

  # Each video is searched among all. Labels may be one for each video, too.
  scores = nph_jax.evaluate(codes, labels, query_relaxed=relaxed)
  print(report.metrics_table(scores.map))
  value = scores.value(20, denominator='k', exclude_self=True)
  print(f'mAP@20 as published code has it, without self: {value:.3f}')


if __name__ == '__main__':
  main()
