"""The narrow seam to whatever runs a measurement: this machine, later phones behind adb."""
