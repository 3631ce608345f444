"""The command `python -m benchmarks.diagnosis`."""

from benchmarks.diagnosis.benchmark import BENCHMARK

if __name__ == "__main__":
    BENCHMARK.main()
