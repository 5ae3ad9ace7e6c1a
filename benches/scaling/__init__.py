"""The parts of benches/scale.py."""
