"""The process around a sentinel (sentinel/): links, scripts, the configuration file, commands."""
