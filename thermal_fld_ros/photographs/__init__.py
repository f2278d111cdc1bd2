# SPDX-License-Identifier: Apache-2.0
"""RGB portraits become pairs of a photograph and a pseudo-thermal image, on the models of the renderer; docs/photos.md."""
