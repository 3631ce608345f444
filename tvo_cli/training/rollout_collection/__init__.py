"""From problems to a graded rollout batch with advantages: sampling, grading, dynamic sampling, what shapings read."""
