"""The parts of a form that are of use here."""

from __future__ import annotations

from collections.abc import Callable

from nph_jax.service import forms, problems, spool

TEXT_BYTES = 64 << 10
_MAX_TEXTS = 4
_NAME_LENGTH = 200


class Parts:
  """Opens the parts of one form: a few texts and one file.

  Attributes:
    video, features: the file, whichever it is.
    name: what the caller calls it; shown, never opened.
  """

  def __init__(
    self,
    new_video: Callable[[], spool.Video],
    new_memory: Callable[[int], spool.Memory],
    feature_bytes: int,
  ):
    """Args as follows.

    Args:
      new_video: makes what takes a video, or raises a Problem.
      new_memory: makes what takes so many bytes at most.
      feature_bytes: of features at most.
    """
    self.video: spool.Video | None = None
    self.features: spool.Memory | None = None
    self.name = ''
    self._texts: dict[str, spool.Memory] = {}
    self._num_texts = 0
    self._new_video, self._new_memory = new_video, new_memory
    self._feature_bytes = feature_bytes

  def open(self, name: str, filename: str | None) -> forms.Part:
    """Where the content of a part goes.

    Raises:
      Problem: there are too many parts, or the file is not one of a video.
    """
    if filename is None:
      return self._open_text(name)
    if self.video or self.features:
      raise problems.Problem(
        400, 'The form has more than one file; send one at a time.'
      )
    if name == 'metadata':
      raise problems.Problem(
        422, 'metadata: is a file; send it as a JSON text.'
      )
    self.name = _shown(filename)
    if name == 'video':
      self.video = self._new_video()
      return self.video
    if name == 'features':
      self.features = self._new_memory(self._feature_bytes)
      return self.features
    raise no_file()

  def _open_text(self, name: str) -> forms.Part:
    self._num_texts += 1
    if self._num_texts > _MAX_TEXTS:
      raise problems.Problem(
        400, f'The form has more than {_MAX_TEXTS} texts; send `metadata` only.'
      )
    self._texts[name] = self._new_memory(TEXT_BYTES)
    return self._texts[name]

  def text(self, name: str) -> str:
    """The text of that name, '' where there is none."""
    found = self._texts.get(name)
    return forms.text(found.content) if found else ''


def no_file() -> problems.Problem:
  return problems.Problem(
    422, 'The form has no file in a part named `video` or `features`.'
  )


def _shown(filename: str) -> str:
  """The last part of what the caller's browser calls the file."""
  last = filename.replace('\\', '/').rpartition('/')[2]
  printable = ''.join(c for c in last if c.isprintable())
  return printable.encode('utf-8', 'replace').decode()[:_NAME_LENGTH]
