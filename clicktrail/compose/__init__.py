"""What only the containers of ``docker-compose.yaml`` run: secrets, topics and schema, Airflow's roles."""
