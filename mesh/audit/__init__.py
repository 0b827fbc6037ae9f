"""Tells shiori what was done and what went wrong, without any call waiting for it.

Every entry is appended to a bounded file of this process (`spool`) before the answer
goes out, and brought to shiori later in batches (`trail`). While shiori is away the
file grows; a process that is killed finds it again at its next start.
"""

from mesh.audit.opening import remote_trail, running_trail, trail_to_shiori
from mesh.audit.trail import AuditTrail, LogHome

__all__ = ["AuditTrail", "LogHome", "remote_trail", "running_trail", "trail_to_shiori"]
