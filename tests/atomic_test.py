"""Files that outlive a power failure, and folders that cannot promise it."""

import errno
import os

import pytest

from nph_jax import atomic


def test_a_file_is_durable_before_its_name_is(tmp_path, monkeypatch):
  done = []
  sync, replace = os.fsync, os.replace

  def fsync(descriptor):
    done.append(os.fstat(descriptor).st_ino)
    sync(descriptor)

  def moved(old, new):
    done.append('moved')
    replace(old, new)

  monkeypatch.setattr(os, 'fsync', fsync)
  monkeypatch.setattr(os, 'replace', moved)
  path = tmp_path / 'folder' / 'file.json'
  atomic.write_json(path, {'a': 1})
  file, folder = path.stat().st_ino, path.parent.stat().st_ino
  assert done == [file, 'moved', folder]


@pytest.mark.parametrize('number', [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_folders_that_cannot_be_synced_are_written_all_the_same(
  tmp_path, monkeypatch, number
):
  def fail(_):
    raise OSError(number, os.strerror(number))

  monkeypatch.setattr(os, 'fsync', fail)
  if number == errno.EIO:
    with pytest.raises(OSError, match='Input/output'):
      atomic.sync_folder(tmp_path)
  else:
    atomic.sync_folder(tmp_path)
