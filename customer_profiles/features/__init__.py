"""Cleaned tables as of a day to one wide row per customer."""
