"""What a rank has of its machine: its device, and its share of the processors."""

from __future__ import annotations

import torch
from omegaconf import DictConfig

from tvo_cli.errors import UserError
from tvo_cli.parallel.ranks import Ranks
from tvo_cli.reward.worker_pool import processors_for_workers
from tvo_cli.training.device_and_precision import choose_device
from tvo_cli.training.resume.checkpoint_origin import origin_code_version as code_version

__all__ = ["code_version", "device_of_rank", "share_processors"]


def device_of_rank(config: DictConfig, local_rank: int) -> str:
    """cpu, or the GPU with the number of the rank on its machine."""
    asked = str(config.trainer.device)
    device = choose_device(asked, "trainer.device")
    if device.type == "mps" or device.index is not None:
        remedy = "Take cpu." if device.type == "mps" else "Take auto, cpu or cuda."
        raise UserError("trainer.device", asked, "is one device, and several processes were started.", remedy)
    if device.type == "cpu":
        return "cpu"
    if local_rank >= torch.cuda.device_count():
        problem = f"there is no GPU for process {local_rank} of this machine, which has {torch.cuda.device_count()}."
        raise UserError("trainer.device", asked, problem, "Start one process a GPU.")
    return f"cuda:{local_rank}"


def share_processors(config: DictConfig, ranks: Ranks) -> None:
    """Let torch use a rank's share of its machine's processors, where trainer.threads does not say how many."""
    if ranks.count > 1 and not int(config.trainer.threads):
        torch.set_num_threads(max(1, processors_for_workers() // ranks.sharing))
