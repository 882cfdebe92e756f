"""Daily sales: three sources, one clean day, a warehouse, a report."""
