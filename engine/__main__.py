"""`python -m engine`: the same as the command `engine`."""

from engine.cli.main import entry

if __name__ == "__main__":
    entry()
