"""Log densities and log masses of Gaussian mixtures on tensors: on lines, on circles, of bins, in space."""

from unwonted.density.bins import mixture_log_mass
from unwonted.density.lines import mixture_log_density, smoothed_mixture_log_density, wrapped_mixture_log_density
from unwonted.density.spaces import gaussian_mixture_energy, soft_gaussian_mixture

__all__ = [
    "gaussian_mixture_energy",
    "mixture_log_density",
    "mixture_log_mass",
    "smoothed_mixture_log_density",
    "soft_gaussian_mixture",
    "wrapped_mixture_log_density",
]
