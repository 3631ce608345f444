"""`tvo compare`: many runs, by arm and seed, in words, tables and figures. Nothing here imports torch.

gather → settings → arms → measures → contrast → verdicts, tables, figures → markdown, LaTeX, HTML, JSON
"""
