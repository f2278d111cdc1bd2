# SPDX-License-Identifier: Apache-2.0
"""Sub-commands of `python -m thermal_fld_ros`, one module each.

A module's docstring is the command's help, `add_arguments(parser)` declares its options, `run(args) -> int` does the work and
returns the exit status. A module with these two functions and a name without a leading underscore is a command.
"""
