"""Pipeline health: what is measured, what is judged out of bounds, who is told and when."""
