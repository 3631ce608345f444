"""The command `python -m benchmarks.first_light`."""

from benchmarks.first_light.benchmark import BENCHMARK

if __name__ == "__main__":
    BENCHMARK.main()
