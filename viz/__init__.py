"""Findings for people: one file per medium (terminal, HTML), one for the words they share.

Views read records and nothing else: no store, no collector, no analysis. All log text is foreign and is escaped here.
"""
