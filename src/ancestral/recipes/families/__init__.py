"""One file a family, each with the configs, the builders and the rows of its models."""
