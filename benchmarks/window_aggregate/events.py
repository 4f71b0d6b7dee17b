"""What all engines are given: so many records of a key (text), a number and a moment in milliseconds, ten in a millisecond."""

from collections.abc import Iterator

KEYS = 1000
ROWS_PER_MILLISECOND = 10


def events(records: int) -> Iterator[tuple[str, int, int]]:
    """The records, in the order of their moments."""
    names = [str(key) for key in range(KEYS)]
    return ((names[number % KEYS], number, number // ROWS_PER_MILLISECOND) for number in range(records))
