"""The gradient's variance and bias off-policy, all estimators at one displaced policy."""
