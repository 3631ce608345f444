"""Write problems.jsonl: 400 sums modulo 16, with column names that tvo would not guess."""

import json
import random
from pathlib import Path

random.seed(0)


def problem(number: int) -> dict[str, object]:
    """Return one row: a number, a text, a result."""
    value = random.randrange(16)
    text = str(value)
    for _ in range(5):
        sign, term = random.choice("+-"), random.randrange(16)
        text, value = f"{text} {sign} {term}", value + (term if sign == "+" else -term)
    return {"nr": f"sum-{number}", "task": f"{text} =", "result": value % 16}


Path("problems.jsonl").write_text("".join(json.dumps(problem(number)) + "\n" for number in range(400)))
