"""Simulated phones that a real adb server takes for real ones.

A phone is a folder on this machine and a process that speaks adb's protocol; its shell, its
programs and its answers come from fixtures, and its ``benchmark_model`` really runs the model
here. It serves the tests, and people who have no phone at hand.

Shell commands run on this machine as the current user: it is no sandbox.
"""

from edgesr.device.standin.adb_server import PrivateAdbServer
from edgesr.device.standin.client import StandIn, StandIns
from edgesr.device.standin.options import PhoneOptions

__all__ = ["PhoneOptions", "PrivateAdbServer", "StandIn", "StandIns"]
