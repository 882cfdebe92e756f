"""The answers counted again from the raw messages, by plain code that shares nothing with the package."""
