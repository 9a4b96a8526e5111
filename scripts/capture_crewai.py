"""Make the CrewAI logs of the tests: a real crew of two, its models scripted.

Usage: python scripts/capture_crewai.py FOLDER, with crewai alone installed (1.15.30 made the committed files).
`output_log_file` writes the same run as JSON and as text; the text holds quotes, commas and line breaks unescaped.
"""

import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(CREWAI_DISABLE_TELEMETRY="true", OTEL_SDK_DISABLED="true", CREWAI_TRACING_ENABLED="false")

from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM


class ScriptedLLM(BaseLLM):
    """A model that gives one prepared answer."""

    answer: str

    def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        return f"Thought: I now can give a great answer\nFinal Answer: {self.answer}"


def crew(log: Path) -> Crew:
    researcher = Agent(
        role="Price Researcher",
        goal="Find prices.",
        backstory="You know the catalogue.",
        llm=ScriptedLLM(model="scripted", answer='Article "W-7", a widget, costs 12.5 EUR.\nSource: catalogue, page 3'),
    )
    writer = Agent(
        role="Writer",
        goal="Answer.",
        backstory="You write well.",
        llm=ScriptedLLM(model="scripted", answer="Three widgets cost 35 EUR."),
    )
    find = Task(name="find", description="Find the price of a widget.", expected_output="A price.", agent=researcher)
    write = Task(name="write", description="Say what three widgets cost.", expected_output="A sum.", agent=writer)
    return Crew(agents=[researcher, writer], tasks=[find, write], output_log_file=str(log), verbose=False)


def main() -> None:
    for suffix in ("json", "txt"):
        path = Path(sys.argv[1]) / f"crew_log.{suffix}"
        path.unlink(missing_ok=True)  # the handler appends
        crew(path).kickoff()


if __name__ == "__main__":
    main()
