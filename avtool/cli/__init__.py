"""What all commands share at the terminal: options, words, progress, exit codes."""
