# SPDX-License-Identifier: Apache-2.0
"""Labelled thermal images in the forms in which people publish them, read into one form."""
