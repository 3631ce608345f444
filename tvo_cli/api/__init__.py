"""What `import tvo_cli as tvo` offers: train, evaluate, grade, compare and load, from Python and from notebooks."""
