"""`avtool shape`."""

from __future__ import annotations

from typing import Annotated

import typer

from avtool.cli import options as opt
from avtool.cli.program import app, evaluation

PLACE = 12
USUAL = {
    "views": ("png", "json"),
    "voxels": ("npz",),
    "parts": ("glb",),
    "points": ("ply",),
    "mesh": ("obj",),
    "sdf": ("npz",),
}


@app.command()
def shape(
    inputs: opt.SomeInputs = None,
    files: opt.Files = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            "--to", metavar="FORM", help="views|voxels|parts|points|mesh|sdf [a picture of all]"
        ),
    ] = None,
    what: Annotated[bool, typer.Option("--what", help="Say what it is, of ten kinds")] = False,
    parts: Annotated[
        str,
        typer.Option(
            metavar="auto|pieces|KIND", help="Of a chair, table, lamp, mug, head; or its pieces"
        ),
    ] = "auto",
    resolution: Annotated[int, typer.Option(metavar="N", help="Cells along a side")] = 64,
    points: Annotated[int, typer.Option(metavar="N", help="Points of the cloud")] = 16384,
    views: Annotated[int, typer.Option(metavar="N", help="Cameras around it")] = 24,
    view_size: Annotated[int, typer.Option(metavar="N", help="Pixels of a view's side")] = 256,
    up: Annotated[
        str,
        typer.Option(metavar="auto|y|z", help="Axis that is up in the file; auto by its suffix"),
    ] = "auto",
    weights: opt.Weights = None,
    page: opt.Page = False,
    out: opt.Out = None,
    format: opt.Formats = None,
    jobs: opt.Jobs = None,
    cluster: opt.Cluster = None,
    overwrite: opt.Overwrite = False,
    retry_failed: opt.RetryFailed = False,
    json: opt.Json = False,
) -> None:
    """The six forms of a 3D shape, any to any, what it is, and its parts.

    Reads obj, glb, ply, stl, off, npz (voxels, sdf, points), xyz, and views.json as --to views
    writes it. Writes a picture of all six forms and json; with --to those that are named.

    Example: avtool shape chair.obj --what
    """
    from avtool.batch.jobs import Plan
    from avtool.batch.request import Request
    from avtool.cli.drive import Batch, execute
    from avtool.pipelines.shape.pipeline import Options
    from avtool.pipelines.shape.read import SUFFIXES
    from avtool.pipelines.shape.values import KINDS, Shape
    from avtool.pipelines.shape.work import work
    from avtool.save import formats

    wanted = tuple(dict.fromkeys(part for text in to or [] for part in text.split(",") if part))
    options = Options(wanted, resolution, points, views, view_size, up, what, parts, weights)
    own = {"shape": formats(Shape)}
    usual = ["png", "json"]
    if wanted:
        own = {form: formats(KINDS[form]) for form in wanted}
        usual = list(dict.fromkeys(each for form in wanted for each in USUAL[form]))
        if not format:  # each form in its own usual formats, though others could have them too
            own = {form: tuple(f".{each}" for each in USUAL[form]) for form in wanted}
            if out and len(wanted) == 1:
                own = {form: formats(KINDS[form]) for form in wanted}
    plan = Plan(own, opt.formats(format, usual, page and not wanted), usual, out)
    request = Request(options, command="shape")
    batch = Batch(inputs, files, jobs, cluster, overwrite, retry_failed, json, SUFFIXES - {".json"})
    execute(batch, plan, work, request)


@evaluation.command("shape")
def evaluate(
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="ModelNet10's voxels30.npz; none is made shapes only"),
    ] = None,
    things: Annotated[int, typer.Option(metavar="N", help="Made things of the parts' test")] = 500,
    weights: opt.Weights = None,
    json: opt.Json = False,
) -> None:
    """What things are (ModelNet10's test), and their parts (made things), beside baselines."""
    from avtool.pipelines.shape.evaluate import report

    report(data, things=things, weights=weights, as_json=json)
