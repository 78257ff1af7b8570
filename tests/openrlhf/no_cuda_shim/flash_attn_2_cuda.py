"""Lets flash_attn be imported where its kernels were not built."""
