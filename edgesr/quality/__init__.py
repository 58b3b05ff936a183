"""How good the pixels are: metrics by the SR convention, and runners for every kind of model."""
