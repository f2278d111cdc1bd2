# SPDX-License-Identifier: Apache-2.0
"""From recorded pairs to a data set: faces labelled by an RGB teacher, transferred to the thermal image, reviewed."""
