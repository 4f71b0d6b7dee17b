"""Counters, gauges, meters and distributions that functions keep, seen from outside through the job's client."""

from millstream.metrics.metricbase import Counter, Distribution, Gauge, Meter, Metric, MetricGroup, MetricRegistry

__all__ = ["Counter", "Distribution", "Gauge", "Meter", "Metric", "MetricGroup", "MetricRegistry"]
