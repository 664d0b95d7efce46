"""Trees of dicts, and the same as one dict with joined names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def flatten(tree: Mapping[str, Any], separator: str) -> dict[str, Any]:
  """Leaves by their path's names, joined: {'a': {'b': 1}} as {'a.b': 1}."""
  flat: dict[str, Any] = {}
  for key, value in tree.items():
    if isinstance(value, Mapping):
      below = flatten(value, separator)
      flat.update({f'{key}{separator}{name}': x for name, x in below.items()})
    else:
      flat[key] = value
  return flat


def nest(flat: Mapping[str, Any], separator: str) -> dict[str, Any]:
  """The tree that `flatten` makes `flat` of, but for its empty dicts."""
  tree: dict[str, Any] = {}
  for name, value in flat.items():
    *folders, leaf = name.split(separator)
    node = tree
    for folder in folders:
      node = node.setdefault(folder, {})
    node[leaf] = value
  return tree
