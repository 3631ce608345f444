"""Problems with verifiable answers: two embedded tasks, MATH, AIME24, GSM8K, any JSONL or hub data set."""


def load(node, *, split, seed):
    from tvo_cli.data.arithmetic import ArithmeticProblems, ArithmeticSettings
    from tvo_cli.data.addition import AdditionProblems, AdditionSettings

    return (
        ArithmeticProblems(ArithmeticSettings(), split=split, seed=seed)
        if node["kind"] == "arithmetic"
        else AdditionProblems(AdditionSettings(), split=split, seed=seed)
    )


class Problems: ...


class Cursor:
    def __init__(self, problems, seed, shuffle):
        self.p = problems
        self.i = 0

    def take(self, n):
        r = [self.p.problem(j) for j in range(self.i, self.i + n)]
        self.i += n
        return r

    def state_dict(self):
        return {"i": self.i}

    def load_state_dict(self, s):
        self.i = s["i"]
