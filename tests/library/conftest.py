"""Libraries of toys."""

import library_toy
import pytest


@pytest.fixture(scope='session')
def starter(tmp_path_factory):
  """Tables for the toys' features."""
  path = tmp_path_factory.mktemp('starter') / 'tables.npz'
  library_toy.write_starter(path)
  return path


@pytest.fixture
def toy(monkeypatch, starter):
  """library_toy, its files in place of videos."""
  for patch in library_toy.patches(starter):
    monkeypatch.setattr(*patch)
  return library_toy
