"""`tracer graph`: who used what from whom, and how we know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tracer.cli.options import AsJson, Db
from tracer.cli.output import hint, print_json, print_report


def graph(
    address: Annotated[str, typer.Argument(metavar="RUN", help="A run by address; @last is the last run.")] = "@last",
    graphml: Annotated[
        Path | None, typer.Option("--graphml", metavar="FILE", help="Write the graph as GraphML, for Gephi or yEd.")
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Print the information dependency graph of a run.

    Each step with its impact and with what it took from earlier steps: declared by the log, or reused words.

    \b
    Example: tracer graph @last --graphml run.graphml
    """
    from tracer.config import database_path
    from tracer.explanation import graph as graph_of
    from tracer.files import require_file, write_whole
    from tracer.graph import impact, to_graphml
    from tracer.schemas import GraphNode, GraphReport
    from tracer.viz.terminal import graph_report

    if graphml:
        require_file(graphml, "run.graphml")
    run, steps, edges = graph_of(database_path(db), address)
    score = impact(steps, edges)
    if graphml:
        write_whole(graphml, to_graphml(steps, edges))
        hint(f"open {graphml} in Gephi or yEd")
    if as_json:
        nodes = [GraphNode(step=s.index, agent=s.agent, kind=s.kind, impact=round(score[s.index], 6)) for s in steps]
        print_json(GraphReport(run=run.id, nodes=nodes, edges=list(edges)))
    elif not graphml:
        print_report(graph_report(run, steps, edges, score))
        hint(f"`tracer blame {run.id}` ranks the steps that could be the cause")
