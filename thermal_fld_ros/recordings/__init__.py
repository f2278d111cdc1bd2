# SPDX-License-Identifier: Apache-2.0
"""Images from files and devices: one reader a kind of source, and `opening.open_source` as the one entry."""
