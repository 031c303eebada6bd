"""The command line: parse, call the recipes, show."""
