"""What a run leaves on disk to go on from: files of a state, and how plain data and tensors become them."""
