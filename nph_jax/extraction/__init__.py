"""From a folder of videos to frame features [N, M, L].

`files` finds the videos, `workers` decode them (`decoding`), a network of
`backbones` sees their frames, `store` keeps what is done, `output` writes the
field's files; `extracting` is the order of it all.
"""
