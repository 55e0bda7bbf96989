"""Scaler and principal components of customer features."""
