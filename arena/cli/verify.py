"""`verify`: whether a model runs here, and whether it gives what it gave elsewhere."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from arena.base.errors import FailedError
from arena.cli.options import config_option, device_option, json_option, option, precision_option, root_option

if TYPE_CHECKING:
    from arena.cards import Fingerprint, ModelCard
    from arena.diagnostics.fingerprint import Agreement, Examined


@click.command("verify")
@config_option
@click.argument("model")
@device_option
@precision_option
@option(
    "--expect", metavar="FINGERPRINT", show_default=False,
    help="Exit with 1 if the scores are not those of this one.  [default: its card's, if it has one]",
)  # fmt: skip
@json_option
@root_option
def verify(model: str, device: str, precision: str, expect: str | None, as_json: bool, root: Path | None) -> None:
    """Load a model, score the bundled canary images, and print their highest tags and a fingerprint.

    The fingerprint is the same on other machines, ports and releases but for the last digits of the arithmetic. It is compared
    with that of --expect, or else of the card (fingerprint = "..."), and the last digits are allowed for. Exits with 1 if it
    differs, with 4 if it is of another model or of other images.

    Example: arena verify joytag-demo
    """
    from arena.cards import find_model
    from arena.cli.terminal.console import Terminal
    from arena.diagnostics.fingerprint import compare, examine
    from arena.taggers.files.weights import fetch

    card = find_model(model, root)
    expected = _expected(card, expect)
    for one in card.single:
        fetch(one, Terminal())
    examined = examine(card, device=device, precision=precision)
    agreement = None
    try:  # what was scored is shown though it cannot be compared
        if expected:
            agreement = compare(expected=expected.fingerprint, seen=examined.fingerprint, where=expected.where)
    finally:
        if as_json:
            _print_json(examined, agreement, verified=card.verified)
        else:
            _show(examined)
    if expected and agreement:
        told = f"sums of scores differ by at most {agreement.largest:.4f} ({agreement.tolerance:g} is allowed)"
        if not agreement.equal:
            raise FailedError(f"{card.name}: not as {expected.by} expects: {told}")
        if not as_json:
            click.echo(f"as {expected.by} expects: {told}")
    if not as_json:
        _tell_how_to_record(card, examined)


class _Expected(NamedTuple):
    """A fingerprint, who expects it, and where it stands."""

    fingerprint: "Fingerprint"
    by: str
    where: str


def _expected(card: "ModelCard", expect: str | None) -> _Expected | None:
    """What the option says, or else the card."""
    from arena.cards import read_fingerprint

    if expect:
        return _Expected(read_fingerprint(expect, "--expect"), "--expect", "--expect")
    if card.fingerprint:
        return _Expected(card.fingerprint, "its card", f"the card of {card.name}: fingerprint")
    return None


def _print_json(examined: "Examined", agreement: "Agreement | None", *, verified: bool) -> None:
    from arena.base import provenance

    facts = asdict(examined) | {"fingerprint": str(examined.fingerprint), "verified": verified}
    facts["versions"] = provenance.versions()
    if agreement:
        facts |= {"equal": agreement.equal, "difference": agreement.largest, "tolerance": agreement.tolerance}
    click.echo(json.dumps(facts, indent=1))


def _show(examined: "Examined") -> None:
    from arena.base.format import one_line

    click.echo(
        f"{examined.model}: {examined.tags:,} tags, {examined.image_side} px, {examined.precision} on {examined.device}; "
        f"loaded in {examined.load_seconds:.1f} s, {len(examined.images)} images in {examined.score_seconds:.2f} s"
    )
    for image in examined.images:
        told = ", ".join(f"{tag} {score:.3f}" for tag, score in zip(image.tags, image.scores, strict=True))
        click.echo(one_line(f"  {image.image_id}: {told}"))  # a tag may be anything, a terminal's commands too
    if examined.spread < 0.01:
        click.echo("the scores hardly differ between the images: does the network see them, and are the weights in it?")
    click.echo(f"fingerprint {examined.fingerprint}")


def _tell_how_to_record(card: "ModelCard", examined: "Examined") -> None:
    """Cards are written by people: say what to write."""
    from arena.base.files import digest_known
    from arena.taggers.files.weights import fetch

    if card.verified or card.adapter in ("ensemble", "precomputed"):
        return
    click.echo(
        "verified = false in its card. If these tags fit the images and its authors' own code agrees, write into it:"
    )
    click.echo("  verified = true")
    if not card.fingerprint:
        click.echo(f'  fingerprint = "{examined.fingerprint}"')
    if lacking := {name: path for name, path in fetch(card).items() if name not in card.sha256}:
        click.echo("  [sha256]")
        for name, path in lacking.items():
            click.echo(f'  "{name}" = "{digest_known(path)}"')
