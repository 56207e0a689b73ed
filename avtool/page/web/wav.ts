// A voice of the page as a file.

import { bytes, text, type Lane } from "./data";
import { RATE } from "./player";

/** A whole voice as a wav file of 16 bits. */
export async function wav(place: number, lane: Lane, duration: number): Promise<Blob> {
  const { piece, margin, sounding } = lane.voice!;
  const context = new OfflineAudioContext(1, 1, RATE);
  const total = Math.round(duration * RATE);
  let whole: Int16Array<ArrayBuffer> | null = null, channels = 1;
  for (let number = 0; number < sounding.length; number++) {
    if (!sounding[number]) continue;
    const buffer = await context.decodeAudioData(bytes(text(`v${place}-${number}`)).buffer);
    channels = buffer.numberOfChannels;
    whole ??= new Int16Array(total * channels);
    const first = number ? Math.round(margin * RATE) : 0;
    const last = number < sounding.length - 1 ? Math.round((piece + margin) * RATE) : buffer.length;
    for (let channel = 0; channel < channels; channel++) {
      const samples = buffer.getChannelData(channel);
      for (let n = first; n < last; n++) {
        const at = (Math.round(number * piece * RATE) + n) * channels + channel;
        if (at < whole.length) whole[at] = Math.max(-1, Math.min(1, samples[n] ?? 0)) * 32767;
      }
    }
  }
  const samples = whole ?? new Int16Array(total);
  const head = new DataView(new ArrayBuffer(44));
  const words: [number, string][] = [[0, "RIFF"], [8, "WAVE"], [12, "fmt "], [36, "data"]];
  for (const [at, word] of words) for (let n = 0; n < 4; n++) head.setUint8(at + n, word.charCodeAt(n));
  head.setUint32(4, 36 + samples.byteLength, true);
  head.setUint32(16, 16, true);
  head.setUint16(20, 1, true);
  head.setUint16(22, channels, true);
  head.setUint32(24, RATE, true);
  head.setUint32(28, RATE * channels * 2, true);
  head.setUint16(32, channels * 2, true);
  head.setUint16(34, 16, true);
  head.setUint32(40, samples.byteLength, true);
  return new Blob([head, samples], { type: "audio/wav" });
}
