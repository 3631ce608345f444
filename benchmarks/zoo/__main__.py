"""The command `python -m benchmarks.zoo`."""

from benchmarks.zoo.benchmark import BENCHMARK

if __name__ == "__main__":
    BENCHMARK.main()
