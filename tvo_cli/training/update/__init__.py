"""The policy update: minibatches, forward, loss, gradient, clipping, optimiser step, out of memory."""
