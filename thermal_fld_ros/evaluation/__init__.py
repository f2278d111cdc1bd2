# SPDX-License-Identifier: Apache-2.0
"""Evaluation of the networks: metrics, protocols, tables and plots."""
