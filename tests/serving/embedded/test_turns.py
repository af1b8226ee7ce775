"""Whose turn it is, asked of turns.c itself by a small program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from recsys.serving.embedded import build

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include "turns.h"

uint64_t rows_of(Request *request) { return (uint64_t)(size_t)request; }
Error *TRITONSERVER_ErrorNew(int code, const char *message) { (void)code; (void)message; abort(); }

static Stage door = {.name = "door", .version = 1, .order = 0, .most_rows = 4};
static Stage left = {.name = "left", .version = 1, .order = 1, .most_rows = 4, .after = {"door"},
                     .after_count = 1};
static Stage both = {.name = "both", .version = 1, .order = 2, .most_rows = 4, .after = {"door", "left"},
                     .after_count = 2};

static void come(Stage *stage, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    Request *request = (Request *)1;
    add_requests(stage, &request, 1);
  }
}

static Stage *turn(void) {
  Request *requests[MOST_REQUESTS];
  uint32_t count;
  Stage *stage = next_turn(requests, &count);
  printf("%s %u\n", stage->name, count);
  return stage;
}

int main(void) {
  add_stage(&door); add_stage(&left); add_stage(&both);
  BODY
  return 0;
}
"""


@pytest.fixture(scope="module")
def turns(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Runs a program's body; what it printed."""
    folder = tmp_path_factory.mktemp("turns")
    source = Path(build.__file__).parent

    def run(body: str) -> list[str]:
        (folder / "main.c").write_text(PROGRAM.replace("BODY", body))
        compiler = shutil.which("cc") or "gcc"
        # crossing.h declares what turns.c calls; Python's headers come with it.
        line = [part for part in build._command() if part.startswith("-I")]
        files = [str(folder / "main.c"), str(source / "turns.c"), "-lpthread"]
        subprocess.run([compiler, *line, f"-I{source}", "-o", str(folder / "main"), *files], check=True)
        done = subprocess.run([folder / "main"], check=True, capture_output=True, text=True, timeout=60)
        return done.stdout.splitlines()

    return run


def test_the_last_model_with_requests_goes_first(turns) -> None:
    body = "come(&door, 2); come(&both, 1); come(&left, 3); turn(); turn(); turn();"
    assert turns(body) == ["both 1", "left 3", "door 2"]


def test_no_more_users_than_a_model_may_meet(turns) -> None:
    assert turns("come(&door, 6); turn(); turn();") == ["door 4", "door 2"]


def test_a_turn_waits_for_requests_that_are_on_the_way(turns) -> None:
    # Two threads of the server's bring the last two, one of them after the turn was asked for.
    body = """
    come(&door, 3); end_turn(turn(), 3);
    come(&left, 3); end_turn(turn(), 3);
    come(&door, 1); come(&both, 3); end_turn(turn(), 3); turn();
    """
    assert turns(body) == ["door 3", "left 3", "both 3", "door 1"]


def test_requests_that_never_come_are_waited_for_once(turns) -> None:
    # One of the door's ended there (a client gave up), and one came to the last model past all others.
    body = """
    come(&door, 3); end_turn(turn(), 3);
    come(&left, 2); end_turn(turn(), 2);
    come(&both, 3); end_turn(turn(), 3);
    printf("%d %d\\n", (int)left.unasked, (int)both.unasked);
    """
    assert turns(body) == ["door 3", "left 2", "both 3", "1 -1"]


def test_a_stage_is_not_removed_before_its_requests_are_answered(turns) -> None:
    assert turns("come(&door, 1); end_turn(turn(), 1); remove_stage(&door); come(&both, 1); turn();") == [
        "door 1",
        "both 1",
    ]
