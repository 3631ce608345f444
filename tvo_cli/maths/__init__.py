"""Pure functions of tensors: no configuration, no I/O, no state, no logging. Shapes as in `tvo_cli.types`."""
