"""Time and peak memory of the constructions, beside what one would write instead: `python -m benchmarks`."""
