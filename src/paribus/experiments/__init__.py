"""An experiment: its document, its sealed plan, its analysis, its verdict and its proof."""
