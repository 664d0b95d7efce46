"""A folder of someone's videos as an index that keeps itself up to date.

`scanning` says which files are new, moved, changed or gone, `store` keeps the
features of each, `codes` makes a hash function of them or takes the one that
comes along, `adding` and `searching` are what the program `nph-jax` does.
`feature_file` has a file of features follow a folder in the same way.
"""
