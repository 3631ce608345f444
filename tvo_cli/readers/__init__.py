"""One reader for training, evaluation and grading: rows of a file, and the questions and golds that they state."""
