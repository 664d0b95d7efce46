"""`nph-jax` with toys for networks; its processes start from this file too.

With STARTER set, files are those of library_toy; with KILLED_AT, see there.
"""

import os

import averages
import library_toy

from nph_jax import __main__
from nph_jax.extraction import backbones

backbones.BACKBONES['averages'] = averages.Averages

if __name__ == '__main__':
  if 'STARTER' in os.environ:
    for owner, name, value in library_toy.patches(os.environ['STARTER']):
      setattr(owner, name, value)
  if 'KILLED_AT' in os.environ:
    library_toy.kill_after(os.environ['KILLED_AT'])
  __main__.main()
