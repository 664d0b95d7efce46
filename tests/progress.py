"""How far an extraction is, seen from another process."""

import contextlib
import sqlite3


def count(path):
  """Videos in an unfinished store, whoever is writing to it."""
  try:
    address = f'file:{path}?immutable=1'
    with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
      return database.execute('SELECT count(*) FROM files').fetchone()[0]
  except sqlite3.Error:
    return 0
