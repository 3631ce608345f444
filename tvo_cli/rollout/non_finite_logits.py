"""What is raised where a model gives logits that are nan or inf: no token can be sampled from them."""

from __future__ import annotations

from tvo_cli.errors import UserError

KEY = "logits"
REMEDY = (
    "Take model.dtype=float32 or model.attention=eager; where training has led there, a lower optimizer.lr, or "
    "stability.on_collapse=rollback."
)


class NonFiniteLogits(UserError):
    """A model's logits are not finite; told by the token and the key of the response's prompt."""

    def __init__(self, key: str, token: int) -> None:
        """`token`: its number in the response to prompt `key`, from 1."""
        problem = f"at token {token} of a response to {key} the model gives values that are no numbers."
        super().__init__(KEY, "nan or inf", problem, REMEDY)


def is_of_non_finite_logits(error: UserError) -> bool:
    """Whether an error is this one, also where another rank met it: there it comes as a UserError of the same parts."""
    return error.key == KEY
