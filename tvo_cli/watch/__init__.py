"""`tvo watch`: a page on this machine with the live curves, states and completions of the runs below a folder."""
