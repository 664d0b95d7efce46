"""From a folder of videos to frame features [N, M, L].

`files` finds the videos, `workers` decode them (`decoding`), a network of
`backbones` sees their frames; `extracting` is the order of it all. `output`
writes the field's files, which nph_jax.library keeps up to date.
"""
