# SPDX-License-Identifier: Apache-2.0
"""Figures from samples. All times in nanoseconds come in, microseconds go out."""
import statistics


def p50_us(values_ns):
    return statistics.median(values_ns) / 1e3


def summary(values_ns):
    """Percentiles of one arm, and how many a second one process makes when it does nothing else."""
    if len(values_ns) < 2:
        raise ValueError("percentiles need two samples")
    cuts = statistics.quantiles(values_ns, n=100, method="inclusive")
    return {"count": len(values_ns), "p50_us": cuts[49] / 1e3, "p90_us": cuts[89] / 1e3,
            "p99_us": cuts[98] / 1e3, "rate_per_s": len(values_ns) / (sum(values_ns) / 1e9)}


def ratio_p50(values, base):
    """Of the medians: the figure to quote."""
    return statistics.median(values) / statistics.median(base)


def ratio_paired(values, base):
    """The median of the ratios within one round."""
    if len(values) != len(base):
        raise ValueError(f"{len(values)} samples cannot be paired with {len(base)}")
    return statistics.median(one / other for one, other in zip(values, base))


def against(values, base):
    """summary(), with both ratios to a base of the same rounds."""
    return {**summary(values), "ratio_p50": ratio_p50(values, base),
            "ratio_paired": ratio_paired(values, base)}
