"""The command `python -m benchmarks.thermodynamic_laws`."""

from benchmarks.thermodynamic_laws.benchmark import BENCHMARK

if __name__ == "__main__":
    BENCHMARK.main()
