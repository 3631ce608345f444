"""The command `python -m benchmarks.second_edition`."""

from benchmarks.second_edition.benchmark import BENCHMARK

if __name__ == "__main__":
    BENCHMARK.main()
