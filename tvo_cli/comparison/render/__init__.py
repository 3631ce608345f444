"""An analysis as tables, sentences, figures and pages. Nothing here computes a statistic."""
