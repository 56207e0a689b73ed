"""From many inputs to many files: what is asked, job by job, and what runs it.

No words to the user and no exit codes; those are the terminal's (``cli.terminal``).
"""
