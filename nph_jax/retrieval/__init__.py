"""Ranking by packed codes, its metrics, and the index; numpy only.

What is scored goes down this list: `evaluate`, the command; `evaluation`, codes
in and numbers out; `scoring`, in blocks on all cores; `metrics`, the formulas;
`hamming`, the codes themselves. `code_files` reads, `report` writes.
"""
