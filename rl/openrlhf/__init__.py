"""AP-GRPO on OpenRLHF: Ray, vLLM and DeepSpeed, unforked. `rl.train_ap_grpo --engine openrlhf` starts it."""
