"""`python -m b2bua` is the command `b2bua`."""

from b2bua.cli import main

if __name__ == "__main__":
    main()
