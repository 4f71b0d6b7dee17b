"""Writes the CSV file, the same bytes each time: python make_input.py PATH MEGABYTES."""

import random
import sys
from pathlib import Path

# So many different rows; then they come again with new numbers in front.
BLOCK_ROWS = 50_000
CARRIERS = ["AA", "B6", "DL", "EV", "MQ", "UA", "US", "WN"]


def make(path: Path, megabytes: int) -> None:
    """Seven columns: two integers, a decimal fraction, a truth, a short and a longer text (one in fifty quoted), a timestamp."""
    chance = random.Random(2013)
    tails = [tail(chance, row) for row in range(BLOCK_ROWS)]
    partial = path.with_suffix(".partial")
    written, number = 0, 0
    with partial.open("wb") as file:
        while written < megabytes * 1_000_000:
            block = "".join([f"{number + row},{rest}" for row, rest in enumerate(tails)]).encode()
            file.write(block)
            written, number = written + len(block), number + BLOCK_ROWS
    partial.rename(path)


def tail(chance: random.Random, row: int) -> str:
    city = f"city {chance.randrange(400)} by the river"
    if row % 50 == 0:
        city = f'"{city}, ""old town"""'
    moment = (
        f"2013-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d} {chance.randrange(24):02d}:{chance.randrange(60):02d}:{chance.randrange(60):02d}"
    )
    truth = "true" if chance.random() < 0.5 else "false"
    return f"{chance.randrange(-2000, 100_000)},{chance.uniform(-50, 5000):.3f},{truth},{chance.choice(CARRIERS)},{city},{moment}\n"


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
