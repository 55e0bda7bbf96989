"""Raw rows become valid rows, quarantined rows and duplicates; the four fates add up."""
