"""Table 1: retrieval of classes that training never showed.

  python -m experiments.table1_unseen [--config=configs/moving_digits.py]

Trained on train75; queries test25, database train25 (transfer.py). 32 and 64
bits: the paper does not say which it used.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments import transfer
from nph_jax import errors


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing and writes the tables."""
  transfer.run('Unseen classes.', 'table1_unseen', ['train75'], argv)


if __name__ == '__main__':
  errors.run_main(main)
