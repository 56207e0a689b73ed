"""`avtool ask`: from the job of one input to its answer and its files."""

from __future__ import annotations

from functools import partial
from typing import NoReturn

import typer

from avtool import media
from avtool.batch.jobs import Job, Plan, expanded, refuse_addresses
from avtool.batch.request import Report, Request, Tick
from avtool.cli.drive import drive
from avtool.cli.terminal import say
from avtool.errors import MediaError, shown
from avtool.pipelines.ask import pipeline
from avtool.pipelines.ask.facts import understood
from avtool.pipelines.ask.gather import known
from avtool.pipelines.ask.pipeline import Options
from avtool.pipelines.ask.values import Reply
from avtool.save import save


def run(
    inputs: list[str],
    plan: Plan,
    request: Request,
    *,
    jobs: int | None,
    as_json: bool,
) -> NoReturn:
    """Ask of each input, print the answers, and end the program with its exit code.

    What an earlier question left is replaced: a file's answer is that of the last question.
    """
    refuse_addresses([*inputs, plan.out], "ask")

    def show(report: Report) -> None:
        if report.status == "done":
            name = f"{shown(report.input)}: " if several else ""
            say.data(f"{name}{report.facts['said']}")
            for path in report.outputs:
                say.note(f"{shown(path)}")

    with expanded(inputs) as found:
        several = len(found) > 1
        code = drive(
            plan.jobs(found),
            partial(work, request),
            request,
            at_once=jobs,
            overwrite=True,
            as_json=as_json,
            out=plan.out,
            show=show,
        )
    raise typer.Exit(code)


def work(request: Request, job: Job, tick: Tick) -> Report:
    """Answer the question of one file, and write the answer."""
    warnings: list[str] = []
    reply = replied(request, job, tick, warnings)
    save(reply, job.outputs.get("ask", []), name="ask", title=job.title)
    facts = {"answer": reply.answer, "sure": reply.sure, "source": reply.source, "why": reply.why}
    return Report(
        job.name,
        outputs=[str(path) for path in job.paths],
        warnings=list(dict.fromkeys(warnings)),
        facts=facts | {"said": reply.said},
    )


def replied(request: Request, job: Job, tick: Tick, warnings: list[str]) -> Reply:
    """The answer to the question of one file.

    Raises:
        MediaError: it has neither sound nor pictures.
    """
    source = media.open(job.source, name=job.name)
    if not (source.info.audio or source.info.video):
        raise MediaError(f"{job.name}: has neither sound nor pictures; 'avtool info' tells more")
    options: Options = request.options
    fact = understood(options.question)
    facts = known(fact, source, job, request, tick, warnings) if fact else None
    tick(None, "answering")
    clip = source.clip(
        request.part(pipeline.SPEC) if source.info.video else media.Spec(),
        strict=request.strict,
    )
    models = None if fact else pipeline.load(options, request.device)
    reply = pipeline.run(clip, options, models=models, known=facts).reply
    warnings += clip.warnings
    return reply
