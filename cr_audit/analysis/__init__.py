"""The only composer: a data set and settings in, all facts out, in one fixed order.

Nothing here judges (``cr_audit.audits`` does) and nothing here prints (``cr_audit.report`` does).
"""

from cr_audit.analysis.compose import analyse
from cr_audit.analysis.facts import Analysis
from cr_audit.analysis.settings import Settings

__all__ = ["Analysis", "Settings", "analyse"]
