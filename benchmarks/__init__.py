"""Measurements that decide: each module says what it measures and how."""
