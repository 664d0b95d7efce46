"""The command line of an index: `python -m nph_jax.index`."""
