"""What setup.cfg cannot say: configs/ is a part of the package once built."""

from setuptools import find_packages, setup

setup(
  packages=[
    *find_packages(include=['nph_jax', 'nph_jax.*']),
    'nph_jax.configs',
  ],
  package_dir={'nph_jax.configs': 'configs'},
)
