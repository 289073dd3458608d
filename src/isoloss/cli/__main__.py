"""``python -m isoloss.cli`` is ``isoloss``."""

from isoloss.cli.entry import main

if __name__ == "__main__":
    main()
