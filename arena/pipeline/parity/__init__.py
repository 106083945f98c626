"""Compare two ports of one model: `scoring` scores both, `parity` measures and judges the difference and searches the cause."""
