"""`python -P -m longshore.cli`: how a program of ours starts another one, without looking for the console script."""

from longshore.cli.main import main

if __name__ == "__main__":
    main()
