"""Random lines against the native encoder, built with sanitizers: see `sanitized`."""
