"""Measurements in time: what is measured, what is kept, who watches."""
