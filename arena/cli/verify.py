"""`verify`: whether a model runs here, and whether it gives what it gave elsewhere."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arena.cli.options import config_option, device_option, option, precision_option, root_option
from arena.errors import FailedError

if TYPE_CHECKING:
    from arena.cards import ModelCard
    from arena.scores.fingerprint import Agreement, Examined


@click.command("verify")
@config_option
@click.argument("model")
@device_option
@precision_option
@option(
    "--expect", metavar="FINGERPRINT", show_default=False, help="Exit with 1 if the scores are not those of this one."
)
@option("--json", "as_json", is_flag=True, show_default=False, help="Everything, as JSON.")
@root_option
def verify(model: str, device: str, precision: str, expect: str | None, as_json: bool, root: Path | None) -> None:
    """Load a model, score the bundled canary images, and print their highest tags and a fingerprint.

    The fingerprint is the same on other machines, ports and releases but for the last digits of the arithmetic: compare it by
    --expect, which allows for them. Exits with 1 if it differs, with 4 if it is of another model or of other images.

    Example: arena verify joytag-demo
    """
    from arena import provenance
    from arena.cards import find_model
    from arena.scores.fingerprint import compare, examine, read_fingerprint
    from arena.taggers.weights import fetch
    from arena.terminal import Terminal

    expected = read_fingerprint(expect) if expect else None
    card = find_model(model, root)
    for one in card.single:
        fetch(one, Terminal())
    examined = examine(card, device=device, precision=precision)
    agreement = compare(expected=expected, seen=read_fingerprint(examined.fingerprint)) if expected else None
    if as_json:
        facts = {**asdict(examined), "verified": card.verified, "versions": provenance.versions()}
        if agreement:
            facts |= {"equal": agreement.equal, "difference": agreement.largest, "tolerance": agreement.tolerance}
        click.echo(json.dumps(facts, indent=1))
    else:
        _show(examined, agreement)
        _tell_how_to_record(card)
    if agreement and not agreement.equal:
        raise FailedError(f"{card.name}: not as expected: {_told(agreement)}")


def _show(examined: "Examined", agreement: "Agreement | None") -> None:
    click.echo(
        f"{examined.model}: {examined.tags:,} tags, {examined.image_side} px, {examined.precision} on {examined.device}; "
        f"loaded in {examined.load_seconds:.1f} s, {len(examined.images)} images in {examined.score_seconds:.2f} s"
    )
    for image in examined.images:
        told = ", ".join(f"{tag} {score:.3f}" for tag, score in zip(image.tags, image.scores, strict=True))
        click.echo(f"  {image.image_id}: {told}")
    if examined.spread < 0.01:
        click.echo("the scores hardly differ between the images: does the network see them, and are the weights in it?")
    click.echo(f"fingerprint {examined.fingerprint}")
    if agreement and agreement.equal:
        click.echo(f"as expected: {_told(agreement)}")


def _told(agreement: "Agreement") -> str:
    return f"a sum of scores differs by {agreement.largest:.4f}; arithmetic explains {agreement.tolerance:g}"


def _tell_how_to_record(card: "ModelCard") -> None:
    """Cards are written by people: say what to write."""
    from arena.digests import digest_known
    from arena.taggers.weights import fetch

    if card.verified or card.adapter in ("ensemble", "precomputed"):
        return
    click.echo(
        "verified = false in its card. If these tags fit the images and its authors' own code agrees, write into it:"
    )
    click.echo("  verified = true")
    if lacking := {name: path for name, path in fetch(card).items() if name not in card.sha256}:
        click.echo("  [sha256]")
        for name, path in lacking.items():
            click.echo(f'  "{name}" = "{digest_known(path)}"')
