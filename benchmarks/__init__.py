"""One module a claim: Holdfast and its peers on the same input. `python -m benchmarks.NAME [--quick]`."""
