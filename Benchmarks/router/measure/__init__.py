"""What the scripts of Benchmarks/router share."""
