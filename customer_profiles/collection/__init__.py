"""Deliveries become typed raw rows; personal data is sealed at this door."""
