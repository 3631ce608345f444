"""The command `python -m benchmarks.authors`."""

from benchmarks.authors.benchmark import BENCHMARK

if __name__ == "__main__":
    BENCHMARK.main()
