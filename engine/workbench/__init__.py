"""Offline tools over rules. They are given what they need and reach for nothing."""
