"""What can go wrong with an index, by whose fault it is.

Each is a UserError, one sentence for people; programs go by the class.
"""

from __future__ import annotations

from nph_jax.errors import UserError


class InvalidRequest(UserError):
  """The caller handed over what does not fit the index, or each other."""


class UnknownVideo(InvalidRequest):
  """There is no video with such an id."""


class BadMetadata(InvalidRequest):
  """Metadata that cannot be kept.

  Attributes:
    number: of the video, from 0 among those that were added together.
    why: the rest of the sentence.
  """

  def __init__(self, number: int, why: str):
    super().__init__(f'metadata of video {number}: {why}')
    self.number, self.why = number, why


class Unavailable(UserError):
  """Nothing is lost, but not now: busy, closed, a full disk, an engine away."""


class Damaged(UserError):
  """What is stored is not as it was written, or is no index of this version."""


def damaged(path: object, what: str) -> Damaged:
  """A `Damaged` that says what to do."""
  return Damaged(
    f'{path}: {what}; restore it from a backup '
    '(`python -m nph_jax.index restore`), or build the index anew.'
  )
