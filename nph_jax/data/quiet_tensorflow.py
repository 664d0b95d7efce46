"""TensorFlow for reading data only: on the CPU, and quiet.

Import `tf` and `tfds` from here, never directly: JAX owns the GPUs, and
TensorFlow would take all their memory at its first operation.
"""

from __future__ import annotations

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# Announces itself whatever the log level; nothing is computed here.
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')

# TensorFlow imports Keras at once, and with it pandas and more: half of its
# time. Told of the old Keras it finds none; whoever asks for tf.keras later
# gets the new one all the same.
_OLD_KERAS = 'TF_USE_LEGACY_KERAS'
_is_ours = _OLD_KERAS not in os.environ
os.environ.setdefault(_OLD_KERAS, '1')
try:
  import tensorflow as tf
  import tensorflow_datasets as tfds
finally:
  if _is_ours:
    del os.environ[_OLD_KERAS]

tf.config.set_visible_devices([], 'GPU')
tfds.disable_progress_bar()

__all__ = ['tf', 'tfds']
