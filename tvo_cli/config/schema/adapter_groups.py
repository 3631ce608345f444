"""Declarations of adapters, by their kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tvo_cli.config.schema.value_types import DeclaredKeys, Name, Positive, Seed, Share, key


class NoAdapterConfig(DeclaredKeys):
    """Every weight trains."""

    kind: Literal["none"] = key("none")
    lr_scale: Positive = key("factor on every algorithm's recommended learning rate, besides model.lr_scale")


class LowRankAdapterConfig(DeclaredKeys):
    """Low-rank products beside frozen matrices train; the model's own weights do not."""

    kind: Literal["lora", "dora"] = key("lora or dora")
    rank: Annotated[int, Field(ge=1, le=65_536)] = key("r, the inner width of the product")
    alpha: Positive = key("α; the product is scaled by α/r")
    target_modules: list[Name] | Name = key("auto: every linear layer but the output head; or names of layers")
    dropout: Share = key("only 0: importance ratios would carry its noise")
    rslora: bool = key("scale by α/√r instead")
    seed: Seed = key("of the start of A")
    lr_scale: Positive = key("factor on every algorithm's recommended learning rate, besides model.lr_scale")


class SharedBlocksAdapterConfig(DeclaredKeys):
    """Blocks of a layer's input share one trained matrix beside frozen ones; the model's own weights do not train."""

    kind: Literal["miss"] = key("miss")
    rank: Annotated[int, Field(ge=1, le=65_536)] = key("r, the width of a block of the input")
    target_modules: list[Name] | Name = key("auto: every linear layer but the output head; or names of layers")
    dropout: Share = key("only 0: importance ratios would carry its noise")
    lr_scale: Positive = key("factor on every algorithm's recommended learning rate, besides model.lr_scale")


Adapter = Annotated[NoAdapterConfig | LowRankAdapterConfig | SharedBlocksAdapterConfig, Field(discriminator="kind")]
