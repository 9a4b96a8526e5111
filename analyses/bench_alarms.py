"""`tracer bench alarms`: how often blame accuses a run that succeeded, when the log is silent about how it ended.

The known outcomes are hidden, then every run is blamed. A false alarm is the verdict `root_cause` for a success.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracer.analyses.blame import blame
from tracer.errors import BadInputError
from tracer.records import Finding, Recording
from tracer.stats import wilson


def bench_alarms(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Verdicts and P(failed) of the runs whose outcome is known, with it hidden; rates with Wilson 95 % intervals."""
    known = [recording for recording in recordings if recording.run.outcome != "unknown"]
    if not any(run.outcome == "success" for run, _ in known):
        raise BadInputError("no run here is known to have succeeded; give logs that state a reward, a score or a label")
    findings: dict[str, list[Finding]] = {"success": [], "failure": []}
    for run, steps in known:
        hidden = run.model_copy(update={"outcome": "unknown", "outcome_source": None, "answer": None})
        findings[run.outcome].append(blame(hidden, steps))
    return {
        "schema": "urn:blametrace:schema:bench-alarms:1",
        **{name: _summary(found) for name, found in findings.items() if found},
    }


def _summary(findings: Sequence[Finding]) -> dict[str, Any]:
    n = len(findings)
    accused = wilson(sum(finding.verdict == "root_cause" for finding in findings), n)
    suspected = wilson(sum((finding.p_failed or 0.0) > 0.5 for finding in findings), n)
    return {
        "n": n,
        "root_cause": accused.value,
        "root_cause_ci": [accused.low, accused.high],
        "p_failed_above_half": suspected.value,
        "p_failed_above_half_ci": [suspected.low, suspected.high],
        "mean_p_failed": sum(finding.p_failed or 0.0 for finding in findings) / n,
    }
