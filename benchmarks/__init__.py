"""Speed and calibration, measured: `make bench`, `make calibrate`. Results are committed in `results/`."""
