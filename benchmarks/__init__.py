"""Time and peak memory of `superpos.residual.embed`, beside what one would write instead: `python -m benchmarks`."""
