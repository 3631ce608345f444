"""The command `python -m benchmarks.real_model`."""

from benchmarks.real_model.benchmark import BENCHMARK

if __name__ == "__main__":
    BENCHMARK.main()
