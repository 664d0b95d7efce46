"""From feature files to batches: check, build once, read at random.

`sources` and `blocks` import no tensorflow; `video_features` and
`input_pipeline` do.
"""
