"""One file per log format. A collector says whether a container is its own, and reads it into records.

The first that says yes reads the file: installed plug-ins are asked first, then COLLECTORS in their order.
"""

from tracer.collectors.container import Container, Document
from tracer.collectors.ingest import Ingested, ingest
from tracer.collectors.registry import COLLECTORS, Batch, Collector, recognise

__all__ = ["COLLECTORS", "Batch", "Collector", "Container", "Document", "Ingested", "ingest", "recognise"]
