"""Benchmarks: protocols, peers and tables; the results live in the repository's `benchmarks/`."""
