"""The paper's tables and figures on data at hand, one command each.

README.md says which. A cell is one training: a data set, a method, a code
length and a seed. Each leaves one small JSON file in results/, from which all
tables and figures are drawn.
"""
