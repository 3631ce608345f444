"""Every algorithm on the embedded tasks: accuracy, stability and entropy."""
