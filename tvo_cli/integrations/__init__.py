"""For people who stay with their trainer: callbacks that watch it by our rules."""
