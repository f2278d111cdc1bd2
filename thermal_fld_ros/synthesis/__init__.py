# SPDX-License-Identifier: Apache-2.0
"""Rendered people: morphable face, procedural temperatures, sensor and scenes (needs the extra ``train``)."""
