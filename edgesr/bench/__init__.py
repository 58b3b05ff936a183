"""Planning, launching and judging measurements, on any device that has a transport."""
