"""Named segments of customers: clusters, what sets them apart, and how they move."""
