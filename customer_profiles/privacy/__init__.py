"""Personal data: keyed pseudonyms, sealing, and the vault."""
