"""The ten records of a small job: key, number, milliseconds."""

RECORDS = [("ab"[number % 2], number, number * 1_000) for number in range(10)]
