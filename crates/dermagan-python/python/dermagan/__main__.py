"""`python -m dermagan` is the command `dermagan`."""

from ._cli import main

if __name__ == "__main__":
    main()
