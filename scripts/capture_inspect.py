"""Make the Inspect log of the tests: a real evaluation with a team of agents, its models scripted.

Usage: python scripts/capture_inspect.py FOLDER, with inspect_ai alone installed (0.3.285 made the committed file).
A supervisor asks a researcher as a tool, whose lookup fails once and then finds a price; it hands over to a writer,
who adds up wrongly; a model grades the answer. `team.eval` is the zip as Inspect packs it, with zstd.
"""

import sys
import tempfile
from pathlib import Path

from inspect_ai import Task, eval  # noqa: A004 - its name
from inspect_ai.agent import Agent, as_tool, handoff, react
from inspect_ai.dataset import Sample
from inspect_ai.model import (
    ChatMessageAssistant,
    ContentReasoning,
    ContentText,
    Model,
    ModelOutput,
    ModelUsage,
    get_model,
)
from inspect_ai.scorer import includes, model_graded_qa
from inspect_ai.tool import Tool, ToolError, tool

PRICES = {"W-7": 12.5}


@tool
def price() -> Tool:
    async def execute(article: str) -> str:
        """Look up the price of an article.

        Args:
            article: The article's number.
        """
        if article not in PRICES:
            raise ToolError(f"no article {article!r}")
        return f"{PRICES[article]} EUR"

    return execute


def call(name: str, **arguments: object) -> ModelOutput:
    return used(ModelOutput.for_tool_call("scripted", name, arguments))


def say(text: str, thought: str | None = None) -> ModelOutput:
    content = [ContentReasoning(reasoning=thought), ContentText(text=text)] if thought else text
    output = ModelOutput.from_content("scripted", "")
    output.choices[0].message = ChatMessageAssistant(content=content, model="scripted")
    return used(output)


def used(output: ModelOutput) -> ModelOutput:
    output.usage = ModelUsage(input_tokens=100, output_tokens=10, total_tokens=110)
    return output


def scripted(*outputs: ModelOutput) -> Model:
    return get_model("mockllm/model", custom_outputs=list(outputs), memoize=False)


def team() -> Agent:
    researcher = react(
        name="researcher",
        description="Finds prices.",
        prompt="You find prices.",
        tools=[price()],
        model=scripted(
            call("price", article="widget"),
            call("price", article="W-7"),
            call("submit", answer="A widget (W-7) costs 12.5 EUR."),
        ),
    )
    writer = react(
        name="writer",
        description="Writes the answer.",
        prompt="You write the answer.",
        model=scripted(
            say("Three widgets cost 35 EUR.", thought="Three times 12.5: twice is 25, so thrice is 35."),
            call("submit", answer="Three widgets cost 35 EUR."),
        ),
    )
    return react(
        name="supervisor",
        prompt="You supervise.",
        tools=[as_tool(researcher), handoff(writer)],
        model=scripted(
            call("researcher", input="What does a widget cost?"),
            call("transfer_to_writer"),
            call("submit", answer="Three widgets cost 35 EUR."),
        ),
    )


def main() -> None:
    task = Task(
        dataset=[Sample("What do three widgets cost, in EUR?", target="37.5", id="widgets")],
        solver=team(),
        scorer=[includes(), model_graded_qa(model=scripted(say("35 is not 37.5.\n\nGRADE: I")))],
        name="widget_price",
    )
    with tempfile.TemporaryDirectory() as folder:
        [log] = eval(task, model="mockllm/model", log_dir=folder, display="none", log_format="eval")
        (Path(sys.argv[1]) / "team.eval").write_bytes(Path(log.location).read_bytes())


if __name__ == "__main__":
    main()
