"""``python -m ancestral``: the command line, as torchrun starts it."""

from ancestral.cli.main import main

if __name__ == "__main__":
    main()
