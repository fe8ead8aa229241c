"""The gates. Each module holds one and lists its triggers; a new gate is a new module and its name here."""

from __future__ import annotations

from imagegate.policy.gates import (
    always,
    ancestry,
    base_image,
    distro,
    dockerfile,
    files,
    licenses,
    listed_packages,
    malware,
    metadata,
    packages,
    passwd_file,
    retrieved_files,
    secret_scans,
    tag_drift,
    vulnerabilities,
)
from imagegate.policy.gates.trigger import Trigger

_MODULES = (
    always,
    ancestry,
    base_image,
    distro,
    dockerfile,
    files,
    licenses,
    listed_packages,
    malware,
    metadata,
    packages,
    passwd_file,
    retrieved_files,
    secret_scans,
    tag_drift,
    vulnerabilities,
)

TRIGGERS: dict[tuple[str, str], Trigger] = {
    (trigger.gate, trigger.name): trigger for module in _MODULES for trigger in module.TRIGGERS
}
"""Every trigger that can be evaluated, by gate and name."""
