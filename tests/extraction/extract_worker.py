"""`python -m nph_jax.extract` with a small network in the place of its own.

Workers start from this file too, and decode and crop as they always do. With
HANGS_AT=PATH,NUMBER it does not go on once that store holds so many videos.
"""

import os
import sys
import time

import averages
import progress

from nph_jax import errors, extract
from nph_jax.extraction import backbones

STORE, _, NUMBER = os.environ.get('HANGS_AT', '').partition(',')


class Hanging(averages.Averages):
  """Does not go on, where it is told so."""

  def features(self, batch):
    if STORE and progress.count(STORE) >= int(NUMBER):
      time.sleep(3600)
    return super().features(batch)


backbones.BACKBONES[backbones.DEFAULT] = Hanging

if __name__ == '__main__':
  errors.run_main(lambda: extract.main(sys.argv[1:]))
