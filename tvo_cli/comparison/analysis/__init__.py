"""What many runs say: groups over seeds, contrasts with intervals, the choice of a rate. Nothing here formats."""
