"""Pure signal processing: arrays in, arrays out. Knows no path and no video."""
