"""The command line's surface, held still: a new method adds no option."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from ecotone.cli import options
from ecotone.cli.main import VERBS, command
from ecotone.core.errors import BadInput
from ecotone.core.method import find

# changing this list is changing the interface: say so in CHANGELOG.md
FROZEN = {
    "methods": "--handles --json --room --without",
    "card": "--json name",
    "verify": "--json --write name",
    "shift": "--json --measure --out --seed --target --text-field -p corpus",
    "mix": "--calibrate --caps --confirm --depth --export --floors --frozen --json --kl --losses "
    "--materialise --method --natural --out --proxies --proxy-tokens --seed --seeds --target "
    "--text-field --tokenizer --tokens --tolerance --trials --workers -p corpus",
    "clean": "--benchmark --existing --filters --format --json --out --strict --text-field "
    "--workers -p pool",
    "contaminated": "--benchmark --json --out --strict --text-field --workers -p pool",
    "select": "--format --json --method --neural --out --seed --strict --take --target "
    "--text-field --workers pool",
    "rewrite": "--endpoint --json --key-env --method --model --out --requests-a-minute "
    "--rules --seed --strict --text-field --timeout --tokens-a-minute -g -p docs",
    "align": "--budget --domain --drop --few --groups --json --label --method --out --seed "
    "--target table",
    "predict": "--json --out run table",
    "report": "--json --out run",
    "runs": "--json --out",
    "run": "--json --out --workers manifest",
    "bench": "--json --out --suite --workers room",
}


def verb(name):
    found = command.get_command(click.Context(command), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", FROZEN)
def test_options_are_those_of_the_list(name):
    words = sorted(p.opts[0] if isinstance(p, click.Option) else p.name for p in verb(name).params)
    assert words == FROZEN[name].split()


def test_every_verb_is_frozen():
    assert set(VERBS) == set(FROZEN)


@pytest.mark.parametrize("name", FROZEN)
def test_help_shows_an_example_of_that_verb(name):
    text = CliRunner().invoke(command, [name, "--help"]).output
    assert "Example" in text
    assert f"\n    ecotone {name}" in text  # on a line of its own, not wrapped
    assert "--json" in text


@pytest.mark.parametrize("name", FROZEN)
def test_examples_parse(name):
    import re
    import shlex

    text = verb(name).help
    for line in re.findall(r"ecotone (.+)", text):
        words = shlex.split(line)
        assert words[0] == name
        with click.Context(verb(name)) as ctx:
            verb(name).parse_args(ctx, words[1:])


@pytest.mark.parametrize(
    ("text", "number"),
    [("1200000", 1_200_000), ("1.2M", 1_200_000), ("3B", 3 * 10**9), ("50k", 50_000),
     ("1_000", 1_000), ("1,000", 1_000), ("2T", 2 * 10**12)],
)  # fmt: skip
def test_counts_are_read(text, number):
    assert options.Count().convert(text, None, None) == number


@pytest.mark.parametrize("text", ["", "M", "x", "-3", "0", "nan", "1.2MM"])
def test_what_is_no_count_is_said(text):
    with pytest.raises(click.BadParameter):
        options.Count().convert(text, None, None)


def test_pairs_and_shares():
    assert options.read_pairs(("a=1", "b=x=y")) == {"a": "1", "b": "x=y"}
    assert options.read_shares("law=0.5,web=.5", "--floors") == {"law": 0.5, "web": 0.5}
    for bad in ("law", "=3"):
        with pytest.raises(BadInput, match="name=value"):
            options.read_pairs((bad,))
    with pytest.raises(BadInput, match="--floors law=half"):
        options.read_shares("law=half", "--floors")


def test_parameters_are_checked_against_the_signature():
    mmd = find("mmd")
    assert options.method_params(mmd, {"bandwidth": "2.5"}) == {"bandwidth": 2.5}
    with pytest.raises(BadInput, match="mmd has no parameter 'width'") as error:
        options.method_params(mmd, {"width": "1"})
    assert "ecotone card mmd" in error.value.cure
    # what the room hands over is not the user's to give
    with pytest.raises(BadInput, match="'rng'"):
        options.method_params(mmd, {"rng": "1"})
    assert options.literals({"a": "sliced", "b": "[1, 2]"}) == {"a": "sliced", "b": [1, 2]}


def test_json_knows_numpy():
    import numpy as np

    @click.command()
    def show():
        options.echo_json({"a": np.float64(1.5), "ä": np.arange(2)})

    assert json.loads(CliRunner().invoke(show).output) == {"a": 1.5, "ä": [0, 1]}
