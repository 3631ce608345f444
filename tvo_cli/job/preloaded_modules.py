"""The modules that a sweep's fork server imports: what every training run imports, and none of a user's own."""

from __future__ import annotations

PRELOADED_MODULES = (
    "tvo_cli.cli.main",
    "tvo_cli.cli.launch",
    "tvo_cli.cli.startup_message",
    "tvo_cli.cli.progress_bars",
    "hydra",
    "hydra.core.hydra_config",
    "hydra.experimental.callback",
    "tvo_cli.config.schema",
    "tvo_cli.experiment",
    "tvo_cli.experiment.early_checks",
    "tvo_cli.job.training",
    "tvo_cli.stability.collapse_rules",
    "tvo_cli.stability.entropy_rise",
    "tvo_cli.stability.evaluation_drop",
    "tvo_cli.environment.fast_paths",
    "tvo_cli.diagnosis.diagnosis_file",
    "tvo_cli.report.figure_and_card",
    "tvo_cli.report.run_card",
    "tvo_cli.report.run_plot",
    "tvo_cli.tracking.mirrors.wandb_mirror",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
)
