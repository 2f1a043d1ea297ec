"""Logs damaged at random: each is answered or refused with one message, and within ten seconds.

Bytes are changed, lines dropped, doubled, moved, files cut, and pieces of one form put into another; of the shared
files where they lie beside the project, and of what the tests' writers write.
"""

import gzip
import os
import random
import time
from functools import cache
from pathlib import Path

import pytest
import test_faults_of_logs as ami
import test_forms as forms
from log_writers import AGES, text_of
from writers import cdr_text, cel_sql_text, cel_text, freeswitch_text, queue_log_text

import parksim
from parksim.errors import LogError

SHARED = Path(__file__).parents[3] / "shared" / "cases" / "logs"
LONGEST = 60_000
"""Bytes of a log to be damaged: more of the same would not tell more."""
WITHIN_S = 10.0
MUTATIONS = int(os.environ.get("PARKSIM_MUTATIONS", "20000"))


@cache
def whole_logs() -> tuple[bytes, ...]:
    """Return logs of all forms."""
    facts = [*parksim.run(parksim.Scenario.loads(forms.DAY), seed=2).journal.facts()][:160]
    texts = [cel_text(facts), cel_text(facts, old=True), cel_sql_text(facts), queue_log_text(facts)]
    texts += [cdr_text(facts, one) for one in ("asterisk", "freeswitch", "cucm", "3cx")]
    texts += [freeswitch_text(facts, one) for one in ("plain", "json", "lines", "xml")]
    logs = [text.encode() for text in texts] + [text_of(ami.blocks(age)[:80]) for age in AGES]
    logs += [path.read_bytes()[:LONGEST] for path in sorted((Path(__file__).parent / "traces").glob("*.jsonl"))]
    if SHARED.exists():
        for path in sorted(SHARED.iterdir()):
            content = path.read_bytes()
            if path.suffix not in {".md", ".toml"}:
                logs.append((gzip.decompress(content) if path.suffix == ".gz" else content)[:LONGEST])
    return tuple(logs)


def damaged(draw: random.Random) -> bytes:
    """Return a damaged log."""
    content = draw.choice(whole_logs())
    for _ in range(draw.randrange(1, 4)):
        lines = content.split(b"\n")
        at, length = draw.randrange(len(lines)), draw.choice([1, 1, 2, 9, 40])
        way = draw.randrange(8)
        if way == 0:
            one = bytearray(content)
            for _ in range(draw.choice([1, 3, 30]) if one else 0):
                one[draw.randrange(len(one))] = draw.choice([*b'\0\t\n\r ",:;|{}<>/\\=-09.aZ', 0xE9, 0xFF])
            content = bytes(one)
            continue
        piece = lines[at : at + length]
        if way == 1:
            del lines[at : at + length]
        elif way == 2:
            lines[at:at] = piece
        elif way == 3:
            del lines[at : at + length]
            to = draw.randrange(len(lines) + 1)
            lines[to:to] = piece
        elif way == 4:
            lines = lines[:at] if draw.random() < 0.5 else lines[at:]
        elif way == 5:
            other = draw.choice(whole_logs()).split(b"\n")
            begin = draw.randrange(len(other))
            lines[at:at] = other[begin : begin + length]
        elif way == 6:
            cut = draw.randrange(len(content) + 1)
            lines = [content[:cut] if draw.random() < 0.5 else content[cut:]]
        else:
            lines[at] = lines[at].replace(
                draw.choice(b"0123456789").to_bytes(), draw.choice([b"", b"-", b"99999", b"e9"])
            )
        content = b"\n".join(lines)
    return draw.choice([content] * 6 + [gzip.compress(content, 1), content.decode("latin-1").encode("utf-16")])


def answered(path: Path, content: bytes) -> bool:
    """Return whether a log is read; it may be refused with one message instead."""
    path.write_bytes(content)
    begun_s = time.process_time()
    refusal = None
    try:
        met = parksim.replay(path)
        _ = met.measures, met.agreement.as_dict(), met.follows
    except LogError as error:
        refusal = str(error)
    assert time.process_time() - begun_s < WITHIN_S
    assert refusal is None or "\n" not in refusal
    return refusal is None


def test_a_few_damaged_logs_are_answered(tmp_path):
    """100 mutations (seed 0)."""
    draw = random.Random(0)
    read = sum(answered(tmp_path / "log", damaged(draw)) for _ in range(100))
    assert 20 < read < 100


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_damaged_logs_are_answered(tmp_path, part):
    """20,000 mutations in 20 parts, each with a seed of its own."""
    for number in range(MUTATIONS // 20):
        draw = random.Random(part * 1_000_000 + number)
        answered(tmp_path / "log", damaged(draw))
