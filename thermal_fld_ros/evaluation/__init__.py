# SPDX-License-Identifier: Apache-2.0
"""How good the networks are: metrics, the protocols by which they are measured, tables and plots."""
