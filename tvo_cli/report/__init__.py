"""What a run folder says when it is read again: loading, figures, the closing card. No torch."""
