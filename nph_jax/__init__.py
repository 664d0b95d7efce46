"""Unsupervised video hashing in JAX: NPH (ICCV 2019) and its rivals.

The rooms, in the order of the method: `data` -> `neighborhood` -> `models` ->
`losses` -> `train` -> `retrieval` -> `export`. Imports go that way only.

Dimension letters used in every shape comment and docstring:

  B   batch                        N   videos of a split
  M   frames of a video            Q   queries
  L   frame feature width (l)      C   anchors (n)
  H   LSTM width                   A   nearest anchors of a video (a)
  D   anchor width (d)             K   code length in bits (k)
  Nb  memory width (b)             P   packed code bytes, K / 8

This file imports nothing: the exported hasher loads without flax or
tensorflow.
"""
