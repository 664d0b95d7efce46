"""The four stages of the main job, each a function of a `Job`."""
