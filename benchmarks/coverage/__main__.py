"""The command `python -m benchmarks.coverage`."""

from benchmarks.coverage.benchmark import BENCHMARK

if __name__ == "__main__":
    BENCHMARK.main()
