"""Benchmarks beside a named peer, in one run, printed as ratios. Nothing here asserts a time."""
