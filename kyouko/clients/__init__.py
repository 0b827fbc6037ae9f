"""Calls of kyouko to other services."""
