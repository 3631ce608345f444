"""The command `python -m benchmarks.off_policy_variance`."""

from benchmarks.off_policy_variance.benchmark import BENCHMARK

if __name__ == "__main__":
    BENCHMARK.main()
