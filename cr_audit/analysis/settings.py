"""The settings of an analysis: those of the project's one table."""

from cr_audit.settings import Settings

__all__ = ["Settings"]
