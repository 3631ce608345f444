"""Everything that is asked of one GPU, in ten minutes: steps against TRL, utilisation, bandwidth, memory, kernels.

    sh benchmarks/gpu/run.sh                            # the whole, carried wheels first; takes the options below
    python -m benchmarks.gpu                            # the whole; ends in ten minutes, the same command goes on
    python -m benchmarks.gpu --models FOLDER            # real weights in hub format beside the random ones
    python -m benchmarks.gpu --quick --device cpu       # every part at tiny sizes, without a GPU: whether it runs
    python -m benchmarks.gpu --read FILE                # the tables of a record

It needs this checkout and a Python that has torch 2.11 or newer and what `requirements.py` lists (benchmarks/README.md
says how that comes to a machine without a network); models, tokenizers and prompts are made here. Each part is a
process of its own with a time of its own, so that one that runs out of memory or hangs loses one row. Each row is
written as soon as it is there, to the record and as a line of a .jsonl beside it. What is not installed (TRL, vLLM,
Liger, Cut Cross-Entropy) is a row that says so.

The parts, in order of worth: what the device copies and multiplies, measured; for each shape our step and TRL's in
bfloat16; the log-probability of a wide vocabulary by every kernel; TRL with vLLM; our step in float32. Both trainers:
the same weights, prompts, lengths, reward, micro-batch; SDPA, AdamW, gradient checkpointing off. See limits.py for
what utilisation and bandwidth mean.
"""
