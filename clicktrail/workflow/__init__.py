"""What Airflow's tasks do: pin a window of offsets, audit what became of it, follow a run."""
