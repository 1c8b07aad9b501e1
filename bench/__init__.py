"""Measures what issue 3 promises, beside the peers, and writes `bench/results.json`. See docs/performance.md."""
