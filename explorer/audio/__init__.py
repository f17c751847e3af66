"""Files in, waveforms and pictures out."""
