"""Live collection: OTLP over HTTP, into fsynced segment files, and from there into the store.

A request is read and checked (`requests`), written to a segment (`segments`), and acknowledged once that is on disk.
Another process (`importer`) merges finished segments into the store, so that the database is held only for moments.
Needs the extra [serve].
"""
