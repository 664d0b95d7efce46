"""Clips, and one finished extraction of them."""

import extract_runs
import extraction_clips
import pytest


@pytest.fixture
def clip():
  """The function write_clip, where PyAV is installed."""
  pytest.importorskip('av')
  return extraction_clips.write_clip


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
  """The folder of extract_runs.make_videos."""
  pytest.importorskip('av')
  pytest.importorskip('PIL')
  folder = tmp_path_factory.mktemp('videos')
  extract_runs.make_videos(folder)
  return folder


@pytest.fixture(scope='module')
def finished(videos, tmp_path_factory):
  """Folder and outcome of an extraction that nothing interrupted."""
  folder = tmp_path_factory.mktemp('out')
  result = extract_runs.run(videos, folder / 'features.h5', '--labels=folders')
  assert result.returncode == 0, result.stderr
  return folder, result
