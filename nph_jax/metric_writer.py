"""Where a run's numbers go: JSON lines for programs, TensorBoard for people.

`metrics.jsonl` is the record: one line {"step", "time", name: value, ...} per
call, on disk when the call returns. Values that are not finite become null,
which JSON has, unlike NaN.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pathlib
import time
from collections.abc import Mapping
from typing import Any

from nph_jax import atomic, errors, trees

FILE_NAME = 'metrics.jsonl'


def _step_of(line: str) -> float:
  """Returns the step of one line, infinity where it is torn."""
  try:
    return json.loads(line)['step']
  except (ValueError, KeyError, TypeError):
    return math.inf


def _drop_after(path: pathlib.Path, step: int) -> None:
  """Removes the lines beyond `step`, and the one a kill -9 cut short."""
  if not path.exists():
    return
  text = path.read_text(errors='replace')
  lines = [line for line in text.splitlines() if _step_of(line) <= step]
  kept = ''.join(line + '\n' for line in lines)
  if kept != text:
    atomic.write_text(path, kept)


def _simple(values: Mapping[str, Any]) -> dict[str, Any]:
  """{'a.b': v} for {'a': {'b': v}}, v a number, a bool or a string."""
  return {
    name: value if isinstance(value, bool | int | float | str) else str(value)
    for name, value in trees.flatten(values, '.').items()
  }


class MetricWriter:
  """Appends scalars to `metrics.jsonl` and TensorBoard events in a directory.

  Resumable: opened at the step of a checkpoint, it drops what an earlier run
  wrote beyond that step, so that no step appears twice.
  """

  def __init__(
    self,
    directory: str | os.PathLike[str],
    *,
    step: int = 0,
    active: bool = True,
  ):
    """Opens the files.

    Args:
      directory: made if missing.
      step: the last step that counts; 0 starts afresh.
      active: False on all processes but the first: every call does nothing.

    Raises:
      UserError: the disk is full.
    """
    self._active = active
    if not active:
      return
    # Not above: the import takes 0.3 s, which other commands need not spend.
    from tensorboardX import event_file_writer

    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    self._path = directory / FILE_NAME
    _drop_after(self._path, step)
    with errors.writing(self._path):
      self._lines = open(self._path, 'a', encoding='utf-8')
      # Not SummaryWriter: it writes from a thread, and when the disk is full
      # that thread dies and the next call waits for it for ever.
      self._events = event_file_writer.EventsWriter(
        str(directory / 'events'), f'.{os.getpid()}.{time.time_ns()}'
      )
    self._write_event(step + 1, session_log={'status': 'START'})

  def _write_event(self, step: int, **content: Any) -> None:
    """Writes one TensorBoard event; a session's START hides later steps."""
    from tensorboardX.proto import event_pb2

    event = event_pb2.Event(step=step, wall_time=time.time(), **content)
    with errors.writing(self._path):
      self._events.write_event(event)
      self._events.flush()

  def write_scalars(self, step: int, scalars: Mapping[str, Any]) -> None:
    """Writes one number per name; UserError if the disk is full."""
    if not self._active:
      return
    step = int(step)
    values = {name: float(value) for name, value in scalars.items()}
    record: dict[str, Any] = {'step': step, 'time': round(time.time(), 3)}
    for name, value in values.items():
      record[name] = value if math.isfinite(value) else None
    with errors.writing(self._path):
      self._lines.write(json.dumps(record) + '\n')
      self._lines.flush()
    tagged = [{'tag': n, 'simple_value': v} for n, v in values.items()]
    self._write_event(step, summary={'value': tagged})

  def write_hparams(self, hparams: Mapping[str, Any]) -> None:
    """Writes a config, nested or flat, for TensorBoard; once per run."""
    if not self._active:
      return
    from tensorboardX import summary

    for part in summary.hparams(_simple(hparams), {}):
      self._write_event(0, summary=part)

  def close(self) -> None:
    """Closes the files; a second call does nothing."""
    if not self._active:
      return
    self._active = False
    with errors.writing(self._path), contextlib.ExitStack() as stack:
      stack.callback(self._lines.close)
      stack.callback(self._events.close)

  def __enter__(self) -> MetricWriter:
    return self

  def __exit__(self, *unused: object) -> None:
    self.close()
