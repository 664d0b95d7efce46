"""Which database videos are relevant to a query, and which is the query."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class LabelIndex:
  """The database videos of every label, as inverted lists.

  Relevance is the paper's (section 4.1): at least one shared label. A video
  without labels shares none.
  """

  def __init__(self, labels: np.ndarray):
    """Indexes `labels`, (N, number of labels) multi-hot."""
    self.num_videos, self.num_labels = labels.shape
    label_ids, self._videos = np.nonzero(labels.T)
    counts = np.bincount(label_ids, minlength=self.num_labels)
    self._starts = np.concatenate([[0], np.cumsum(counts)])

  def relevant(self, query_labels: np.ndarray) -> np.ndarray:
    """(B, N) bool: the videos that share a label with each query.

    Args:
      query_labels: (B, number of labels) multi-hot.
    """
    queries, label_ids = np.nonzero(query_labels)
    starts = self._starts[label_ids]
    lengths = self._starts[label_ids + 1] - starts
    ends = np.cumsum(lengths)
    # Position j of the concatenated lists belongs to list i: its entry is
    # starts[i] plus how far j is into that list.
    within = np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
    videos = self._videos[np.repeat(starts, lengths) + within]
    mask = np.zeros((len(query_labels), self.num_videos), bool)
    mask[np.repeat(queries, lengths), videos] = True
    return mask


def self_rows_by_content(
  query_digests: Sequence[bytes] | np.ndarray,
  database_digests: Sequence[bytes] | np.ndarray,
  query_labels: np.ndarray,
  database_labels: np.ndarray,
) -> np.ndarray:
  """Finds each query's own copy in the database, by equal content.

  Among several equal ones the first with the query's labels is taken, else
  the first of all. YFCC's public files need this: the queries are inside the
  database, under other row numbers.

  Args:
    query_digests: Q digests of the videos' frames, bytes or rows of uint8.
    database_digests: N of them.
    query_labels: (Q, number of labels) multi-hot.
    database_labels: (N, number of labels) multi-hot.

  Returns:
    (Q,) int64 database rows, -1 where the query is not in the database.
  """
  same_content, same_labels = {}, {}
  for row, digest in enumerate(database_digests):
    content = bytes(digest)
    same_content.setdefault(content, row)
    labels = (database_labels[row] != 0).tobytes()
    same_labels.setdefault((content, labels), row)
  rows = np.empty(len(query_digests), np.int64)
  for query, digest in enumerate(query_digests):
    content = bytes(digest)
    labels = (query_labels[query] != 0).tobytes()
    first = same_content.get(content, -1)
    rows[query] = same_labels.get((content, labels), first)
  return rows
