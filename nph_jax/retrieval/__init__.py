"""Hamming ranking of packed codes and its metrics; numpy only."""
