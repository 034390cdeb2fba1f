"""What `astrarium init` copies: a strategy to begin with and its graph. They run as they stand."""
