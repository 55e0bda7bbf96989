"""Pure quality checks: expectations, drift, reconciliation. Values in, findings out."""
