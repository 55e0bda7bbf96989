"""Personal data: keyed pseudonyms, hashes by which partners match, sealing, and the secrets of both."""
