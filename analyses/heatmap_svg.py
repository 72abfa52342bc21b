"""The heatmap of an impact matrix, beside ``analyses.arcs_svg`` and ``analyses.brackets_svg``."""

from probe.display import heatmap_svg

__all__ = ["heatmap_svg"]
