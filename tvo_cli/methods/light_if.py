"""Light-IF: an entropy bonus for the tokens whose update would cost the most entropy, a softmax share of each response.

Wang et al. 2025, arXiv:2508.03178 (TEA-RL, its token-wise entropy-adaptive regularisation).
Changes GRPO at: penalties, surrogate (a clip of 1 and a dual clip of 10), reduce.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tvo_cli.maths import masked
from tvo_cli.types import Tokens


def light_if(tokens: Tokens, *, scale: float, maximum: float) -> Tensor:
    """−a_it·H_it, [B, T], nats: a_it = min(scale·softmax_t C_it, maximum), no gradient through a.

    C = (Â − mean Â)(log π − mean log π), means over the tokens of the minibatch, the softmax over the tokens of the
    response: its a sum to `scale` where none meets `maximum`. Where Â is above the mean, likely tokens get the bonus;
    below it, unlikely ones.

    Fidelity: official code (Qihoo360/Light-IF, verl's core_algos: agreement with its functions to 1e-12 in loss and
    gradient on random batches when they read a log π without gradient; as they stand they let one through log π into
    a, which moves the gradient by up to 0.94 of its length there, and take the means of each micro-batch; their
    released training never reaches the term: its branch stands behind the plain loss and tests a name that is not
    defined, and the scripts set the entropy's coefficient to 0; the paper's text was not read).

    Args:
        tokens: the minibatch, or a slice of one.
        scale: α; 10. 0 recovers the base.
        maximum: the largest a of a token; 5.
    """
    everything = tokens.minibatch
    cost = masked.centred_product(everything.advantage, everything.logp.detach(), everything.mask)
    share = torch.where(everything.mask, cost, -torch.inf).softmax(-1).nan_to_num(0.0)
    return -tokens.own(scale * share).clamp(max=maximum) * tokens.entropy
