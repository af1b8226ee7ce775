"""The command line, `recsys …`: one file for each group of commands."""

from recsys.cli.main import main

__all__ = ["main"]
