"""`freqlearn prune`: JPEG files written anew with only the coefficients that a model, or a channel set, needs."""
