"""Table 2: the classes of Table 1, once they are trained on as well.

  python -m experiments.table2_train25 [--config=configs/moving_digits.py]

The paper: "We use train25 for further training". Read here as training on
train75 and train25 together, as long as for Table 1; queries and database are
the same (transfer.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments import transfer
from nph_jax import errors


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing and writes the tables."""
  train = ['train75', 'train25']
  transfer.run('Further training.', 'table2_train25', train, argv)


if __name__ == '__main__':
  errors.run_main(main)
