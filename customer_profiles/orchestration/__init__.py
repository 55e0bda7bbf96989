"""What ties the rooms to Dagster: partitions, the platform resource, factories, jobs, the run."""
