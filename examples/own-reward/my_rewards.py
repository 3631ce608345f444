"""Two reward functions: one for every response, one that has an opinion of wrong answers only."""


def brevity(lengths: list[int], target: int) -> list[float]:
    """1 up to so many tokens, then less."""
    return [min(1.0, target / max(length, 1)) for length in lengths]


def near(problems: list, verdicts: list) -> list[float | None]:
    """A half for a wrong answer that is one off; no opinion of right ones and of none."""
    return [_nearness(problem.answer, verdict) for problem, verdict in zip(problems, verdicts)]


def _nearness(gold: str, verdict: object) -> float | None:
    if verdict.correct or not (verdict.extracted or "").isdigit():
        return None
    return 0.5 if (int(gold) - int(verdict.extracted)) % 16 in (1, 15) else 0.0
