"""The shell: everything that awaits, reads the world or writes to it."""
