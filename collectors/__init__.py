"""One file per log format. A collector says whether a container is its own, and reads it into records.

The order of COLLECTORS is the detection cascade: the first that says yes reads the file.
"""

from tracer.collectors.ingest import Ingested, ingest
from tracer.collectors.registry import COLLECTORS, Batch, Collector, recognise

__all__ = ["COLLECTORS", "Batch", "Collector", "Ingested", "ingest", "recognise"]
