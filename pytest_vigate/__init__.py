"""Quality gates for vision-language models, as pytest items.

PYTEST_DONT_REWRITE: we never assert, and `vigate` imports us before pytest starts.
"""

from __future__ import annotations


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # 10 ms that a run without gate files does not pay

        return version("pytest-vigate")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
