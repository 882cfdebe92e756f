"""The numbers of a day as a page for the terminal."""
