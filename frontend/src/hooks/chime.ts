/** Two soft notes; rising when all went well. */
import { preferences } from "@/preferences";

let context: AudioContext | null = null;

/** Browsers let a page sound only after its user did something there: call this then. */
export function allowSound(): void {
  context ??= new AudioContext();
  void context.resume();
}

/** Whatever the user does first on this page will do, whether or not it began the run whose end is to be heard. */
export function allowSoundEarly(): void {
  const act = () => preferences().sound && allowSound();
  for (const kind of ["click", "keydown"]) addEventListener(kind, act, { capture: true });
}

export function chime(good: boolean): void {
  if (!context) return;
  const [first, second] = good ? [523.25, 783.99] : [493.88, 392];
  note(context, first, 0);
  note(context, second, 0.16);
}

function note(audio: AudioContext, frequency: number, after: number): void {
  const start = audio.currentTime + after;
  const tone = audio.createOscillator();
  const loudness = audio.createGain();
  tone.frequency.value = frequency;
  loudness.gain.setValueAtTime(0, start);
  loudness.gain.linearRampToValueAtTime(0.09, start + 0.02);
  loudness.gain.exponentialRampToValueAtTime(0.0001, start + 0.7);
  tone.connect(loudness).connect(audio.destination);
  tone.start(start);
  tone.stop(start + 0.75);
}
