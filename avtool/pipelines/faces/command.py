"""`avtool faces`."""

from __future__ import annotations

from avtool.cli import options as opt
from avtool.cli.program import app

PLACE = 2


@app.command()
def faces(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    device: opt.Device = "auto",
    out: opt.Out = None,
    format: opt.Formats = None,
    page: opt.Page = False,
    start: opt.Start = 0.0,
    duration: opt.Duration = None,
    jobs: opt.Jobs = None,
    cluster: opt.Cluster = None,
    overwrite: opt.Overwrite = False,
    retry_failed: opt.RetryFailed = False,
    strict: opt.Strict = False,
    json: opt.Json = False,
) -> None:
    """Who is in a video, and who speaks when.

    Writes a contact sheet with numbered faces, and json with their boxes and speech.

    Example: avtool faces talk.mp4
    """
    from avtool.batch.jobs import Plan
    from avtool.batch.request import Request
    from avtool.cli.drive import Batch, execute
    from avtool.pipelines.faces.pipeline import Options
    from avtool.pipelines.faces.values import Faces
    from avtool.pipelines.faces.work import work
    from avtool.save import formats

    request = Request(Options(), start, duration, strict, device, command="faces")
    plan = Plan(
        {"faces": formats(Faces)},
        format or [],
        ["json", "png"],
        out,
        opt.pages(page, out, (start, duration)),
    )
    batch = Batch(inputs, files, jobs, cluster, overwrite, retry_failed, json)
    execute(batch, plan, work, request)
