"""``python -m ancestral``: the same as the command ``ancestral``, also under ``torchrun``."""

from ancestral.cli.main import main

if __name__ == "__main__":
    main()
