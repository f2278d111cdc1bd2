# SPDX-License-Identifier: Apache-2.0
"""Networks, training and export (needs the extra ``train``: torch)."""
