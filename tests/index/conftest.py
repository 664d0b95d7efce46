"""An index, and files to make one from."""

import pathlib

import encode_test as linear  # a bundle whose codes are known by hand
import index_cases
import numpy as np
import pytest
from index_cases import write_manifest

from nph_jax.export import bundle
from nph_jax.index import VideoIndex


@pytest.fixture
def index(tmp_path):
  """90 videos with metadata and t, ids 0 to 89."""
  values = index_cases.codes()
  with VideoIndex.create(
    tmp_path / 'ix', index_cases.BITS, bundle_digest='ab'
  ) as index:
    index.add(values, index_cases.metadata(90), index_cases.relaxed(values))
    yield index


@pytest.fixture
def files(tmp_path, monkeypatch):
  """A bundle, features of 11 videos, their manifest, 9 more as codes."""
  monkeypatch.chdir(tmp_path)
  bundle.write(linear.linear_bundle(), pathlib.Path('export'))
  linear.save_h5('frames.h5', linear.frames(11))
  write_manifest('frames.manifest.jsonl', 11)
  np.save('codes.npy', linear.expected(linear.frames(9, seed=1)))
  return tmp_path
