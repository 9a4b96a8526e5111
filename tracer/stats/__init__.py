"""Estimates with intervals. Every rate that we print goes through here; tests check each against scipy."""

from tracer.stats.bootstrap import RESAMPLES, bootstrap_mean
from tracer.stats.divergences import DIVERGENCES, Divergence, divergence
from tracer.stats.logistic import Calibration, calibration, logistic
from tracer.stats.multiple import benjamini_hochberg
from tracer.stats.proportions import (
    Z95,
    Count,
    Estimate,
    difference,
    fisher,
    power,
    shrunken,
    wilson,
    wilson_bounds,
)
from tracer.stats.ranks import auroc, average_precision, kendall_w, spearman, top, top_overlap
from tracer.stats.spectrum import MEASURES, suspiciousness

__all__ = [
    "DIVERGENCES",
    "MEASURES",
    "RESAMPLES",
    "Z95",
    "Calibration",
    "Count",
    "Divergence",
    "Estimate",
    "auroc",
    "average_precision",
    "benjamini_hochberg",
    "bootstrap_mean",
    "calibration",
    "difference",
    "divergence",
    "fisher",
    "kendall_w",
    "logistic",
    "power",
    "shrunken",
    "spearman",
    "suspiciousness",
    "top",
    "top_overlap",
    "wilson",
    "wilson_bounds",
]
