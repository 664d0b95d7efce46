"""TensorFlow for reading data only: on the CPU, and quiet.

Import `tf` and `tfds` from here, never directly: JAX owns the GPUs, and
TensorFlow would take all their memory at its first operation.
"""

from __future__ import annotations

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# Announces itself whatever the log level; nothing is computed here.
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')

import tensorflow as tf
import tensorflow_datasets as tfds

tf.config.set_visible_devices([], 'GPU')
tfds.disable_progress_bar()

__all__ = ['tf', 'tfds']
