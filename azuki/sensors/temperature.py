"""Temperatures, where there are sensors."""

import psutil


def temperatures() -> list[tuple[str, float]]:
    """Return the sensors' names, each once, and their temperatures in degrees Celsius."""
    found: list[tuple[str, float]] = []
    for chip, entries in sorted(psutil.sensors_temperatures().items()):
        for number, entry in enumerate(entries):
            label = entry.label or str(number)
            found.append((f"{chip}/{number}/{label}", float(entry.current)))
    return found


def missing_temperature_reason() -> str:
    """Return why temperatures cannot be measured here; empty when they can."""
    if not hasattr(psutil, "sensors_temperatures"):
        return "psutil does not know how to read it on this operating system"
    if not psutil.sensors_temperatures():
        return (
            "the operating system shows no temperature sensor, as is usual in virtual "
            "machines and containers"
        )
    return ""
