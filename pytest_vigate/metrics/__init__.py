"""Metric families, one file each. Knows no file, no YAML, no pytest.

A module here that defines a concrete `Metric` is its registration: `builtin` finds it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil

from pytest_vigate.metrics.base import Metric


@functools.cache
def builtin() -> tuple[type[Metric], ...]:
    """The concrete metrics of this package, by name."""
    found: list[type[Metric]] = []
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        members = vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        found += [
            member
            for member in members
            if isinstance(member, type)
            and not member.__name__.startswith("_")
            and issubclass(member, Metric)
            and not inspect.isabstract(member)
            and member.__module__ == f"{__name__}.{module.name}"
        ]
    return tuple(sorted(found, key=lambda metric: metric.name))
