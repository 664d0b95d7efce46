"""Search over HTTP: the service behind `python -m nph_jax.serve`."""
