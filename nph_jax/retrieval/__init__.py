"""Ranking by packed codes and its metrics; neither jax nor flax.

What is scored goes down this list: `evaluate`, the command; `evaluation`, codes
in and numbers out; `scoring`, in blocks on all cores; `metrics`, the formulas;
`hamming`, the codes themselves. `code_files` reads, `report` writes.
"""
