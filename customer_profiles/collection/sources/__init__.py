"""Where a team's own data comes from: ``sources.yaml``, and how its columns become a table's."""
