"""Runs contenders over the same work, watches them, checks what they wrote, and keeps the figures."""
