"""Writes rows.csv and rows.jsonl: the same rows by Python's csv and json modules. Run: python3 make.py"""
import csv
import json
import random
from decimal import Decimal
from pathlib import Path

random.seed(20130101)
here = Path(__file__).parent
words = ["", "plain", "with, comma", 'with "quotes"', "two\nlines", "cr\r\nlf", "é", "日本語のテキスト", "🎈🎈🎈🎈", " spaces ", "a\\b", "tab\there", "'", "\u2028"]
names = ["id", "big", "ratio", "price", "flag", "day", "moment", "text", "more"]
rows = []
for number in range(400):
    rows.append({
        "id": random.choice([None, random.randint(-(2**31), 2**31 - 1)]),
        "big": random.randint(-(2**63), 2**63 - 1),
        "ratio": random.choice([random.random(), random.uniform(-1e300, 1e300), random.random() * 10 ** random.randint(-300, 300), 0.1 + 0.2, 5e-324, 1e22]),
        "price": f"{Decimal(random.randint(-(10**17), 10**17)).scaleb(-4)}",
        "flag": random.choice([True, False]),
        "day": f"{random.randint(1, 9999):04}-{random.randint(1, 12):02}-{random.randint(1, 28):02}",
        "moment": f"{random.randint(1900, 2100):04}-{random.randint(1, 12):02}-{random.randint(1, 28):02} {random.randint(0, 23):02}:{random.randint(0, 59):02}:{random.randint(0, 59):02}.{random.randint(0, 999999):06}",
        "text": random.choice(words) + random.choice(words),
        "more": random.choice(words) * random.randint(1, 5),
    })
with open(here / "rows.csv", "w", newline="", encoding="utf-8") as file:
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows({**row, "flag": str(row["flag"]).lower()} for row in rows)
with open(here / "rows.jsonl", "w", encoding="utf-8") as file:
    for number, row in enumerate(rows):
        items = list(row.items())
        random.shuffle(items)
        # The decimal is a number with all its digits, which Python's json does not write itself.
        text = json.dumps(dict(items), ensure_ascii=number % 2 == 0)
        file.write(text.replace(f'"{row["price"]}"', row["price"]) + "\n")
