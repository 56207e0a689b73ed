"""`avtool waveform`, `spectrogram`, `mel`, `mfcc`: sound made visible."""
