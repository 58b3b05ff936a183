"""Vision-language models of the Qwen2.5-VL family that read text, with or without an adapter."""
